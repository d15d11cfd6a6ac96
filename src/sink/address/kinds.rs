//! The list of all sinks: what their addresses look like.

/// One way out, by its URI scheme. The list of them is [`SINK_TYPES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkKind {
    /// Lines of `path value timestamp` over TCP.
    GraphiteText,
    /// Pickled lists with a length in front, over TCP.
    GraphitePickle,
    /// Standard output.
    Console,
    /// A command that is fed `path|value|timestamp` lines, once for each slot.
    CommandText,
    /// A command that is fed statsite's binary stream.
    CommandBinary,
    /// As [`SinkKind::CommandBinary`], with the prefixes of types in the names.
    CommandPrefixedBinary,
}

/// What an address may look like.
#[derive(Debug)]
pub struct SinkType {
    /// Which sink it leads to.
    pub kind: SinkKind,
    /// What stands before `:`.
    pub scheme: &'static str,
    /// The form to show to users.
    pub form: &'static str,
    /// What stands behind the scheme.
    pub place: PlaceForm,
    /// The settings that its query may hold.
    pub settings: &'static [&'static str],
}

/// What stands behind a scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceForm {
    /// `//host:port`, with this port where none is given.
    Server {
        /// The usual TCP port.
        default_port: u16,
    },
    /// Nothing.
    Nothing,
    /// A command: all that follows, question marks and colons included. Such an address has no query.
    Command,
}

const SERVER_SETTINGS: &[&str] = &[
    "queue_bytes",
    "spool",
    "spool_bytes",
    "spool_age",
    "connection",
];

/// All sinks that there are.
pub const SINK_TYPES: &[SinkType] = &[
    SinkType {
        kind: SinkKind::GraphiteText,
        scheme: "graphite",
        form: "graphite://host:2003",
        place: PlaceForm::Server { default_port: 2003 },
        settings: SERVER_SETTINGS,
    },
    SinkType {
        kind: SinkKind::GraphitePickle,
        scheme: "graphite+pickle",
        form: "graphite+pickle://host:2004",
        place: PlaceForm::Server { default_port: 2004 },
        settings: SERVER_SETTINGS,
    },
    SinkType {
        kind: SinkKind::Console,
        scheme: "console",
        form: "console:",
        place: PlaceForm::Nothing,
        settings: &["queue_bytes"],
    },
    SinkType {
        kind: SinkKind::CommandText,
        scheme: "command",
        form: "command:CMD",
        place: PlaceForm::Command,
        settings: &[],
    },
    SinkType {
        kind: SinkKind::CommandBinary,
        scheme: "command+binary",
        form: "command+binary:CMD",
        place: PlaceForm::Command,
        settings: &[],
    },
    SinkType {
        kind: SinkKind::CommandPrefixedBinary,
        scheme: "command+binary+prefix",
        form: "command+binary+prefix:CMD",
        place: PlaceForm::Command,
        settings: &[],
    },
];

impl SinkKind {
    /// What stands before `:` in the URI.
    pub fn scheme(self) -> &'static str {
        self.listed().scheme
    }

    pub(super) fn listed(self) -> &'static SinkType {
        SINK_TYPES
            .iter()
            .find(|listed| listed.kind == self)
            .expect("SINK_TYPES lists every kind")
    }
}
