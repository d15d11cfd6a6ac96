//! What a user can set: each option once, for the command line and for the file.
//!
//! A field is an option of the command line (`--max-wait`), a key of the file (`max_wait`), its
//! help and its line in README. All are optional here; [`super::Config`] fills in the defaults,
//! and a test keeps the defaults that the help names equal to those.

use clap::ArgAction::{Append, Count as Counted, Set};
use serde::{Deserialize, Serialize};

use super::control::Control;
use super::facility::Facility;
use super::management::Management;
use super::prefix::{PathText, Prefix};
use super::text;
use super::values::{
    ConnectionCount, DatagramSize, FilePath, FlushInterval, LogLevel, Percent, Percents, SetError,
    ShardCount, Size, StatisticName, TableCount, Time, TimerError, Title,
};
use crate::kernel::EngineChoice;
use crate::metric::{Pattern, Quota};
use crate::naming::{Dialect, ExtendedCounters, Histogram};
use crate::repeat::RepeatAddress;
use crate::sink::{SinkAddress, Spread};
use crate::snapshot::Idle;
use crate::telemetry::OwnWords;
use crate::transport::{BindAddress, LivenessAddress};

/// Settings from one source: what is `None` was not given there.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
// Brackets in a help text are those of an address.
#[allow(rustdoc::broken_intra_doc_links)]
pub struct Settings {
    /// Listen on this address: [host]:port, port or udp://host:port for UDP, tcp://host:port,
    /// unix:PATH or unixgram:PATH for a Unix socket of connections or of datagrams, stdin: for the
    /// standard input; repeatable [default: :8125]
    ///
    /// Without a host it listens on every address of this machine, IPv4 and IPv6 with one socket.
    /// A host name is resolved once, at start. An address that another process holds is refused. A
    /// Unix socket takes permissions, as in unix:/run/ringstat.sock?mode=0660; its file is removed
    /// at the end.
    #[arg(short, long, value_name = "ADDRESS", help_heading = LISTENING, action = Append)]
    #[arg(value_parser = text::parse::<BindAddress>)]
    #[serde(with = "text::many")]
    pub bind: Option<Vec<BindAddress>>,

    /// Most connections that are open at a time, over TCP and Unix sockets [default: 1024]
    ///
    /// One more is closed at once, and counted. Each takes a descriptor and up to 130 KiB, if its
    /// lines are that long; an idle one takes about a kilobyte.
    #[arg(long, value_name = "COUNT", help_heading = LISTENING)]
    #[arg(value_parser = text::parse::<ConnectionCount>)]
    #[serde(with = "text::number")]
    pub max_connections: Option<ConnectionCount>,

    /// Answer each connection to this TCP address, [host]:port, with YES [default: none]
    ///
    /// For monitors. The port is 8325 where none is given.
    #[arg(long, value_name = "ADDRESS", help_heading = LISTENING)]
    #[arg(value_parser = text::parse::<LivenessAddress>)]
    #[serde(with = "text::one")]
    pub liveness: Option<LivenessAddress>,

    /// Answer commands at this TCP address, [host]:port, as the management console of etsy's statsd
    /// does; none for no console [default: none]
    ///
    /// The port is 8126 where none is given. Whoever reaches it may read all series and settings and
    /// delete series: there is no password.
    #[arg(long, value_name = "ADDRESS", help_heading = LISTENING)]
    #[arg(value_parser = text::parse::<Management>)]
    #[serde(with = "text::one")]
    pub management: Option<Management>,

    /// Answer `ringstat ledger` at this Unix socket; none for no socket
    /// [default: /run/ringstat/ctl, where that can be made]
    ///
    /// PATH?mode=0600 sets its permissions, which are 0660 otherwise. Its folder is made if the one above
    /// it is there. A socket that was asked for and cannot be made is an error.
    #[arg(long, value_name = "PATH", help_heading = LISTENING)]
    #[arg(value_parser = text::parse::<Control>)]
    #[serde(with = "text::one")]
    pub control: Option<Control>,

    /// Number of shards: threads that receive and add up, each with a socket of its own
    /// [default: one per allowed CPU, at most 4]
    ///
    /// Each further shard costs memory and makes all batches smaller. Take 1 where one core is
    /// enough for the traffic, and more when the log says that a shard is over 70 % busy.
    #[arg(long, value_name = "COUNT", help_heading = LISTENING)]
    #[arg(value_parser = text::parse::<ShardCount>)]
    #[serde(with = "text::number")]
    pub shards: Option<ShardCount>,

    /// Bind each shard to a CPU of its own [default: false]
    ///
    /// Only for a machine on which nothing else wants those CPUs: elsewhere the scheduler knows
    /// better.
    #[arg(long, help_heading = LISTENING)]
    #[arg(value_name = "true|false", hide_possible_values = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub pin: Option<bool>,

    /// How datagrams are taken off the kernel: auto, io_uring or recvmmsg [default: auto]
    ///
    /// auto tries io_uring and says at start why if it has to take recvmmsg. io_uring refuses to
    /// start without it.
    #[arg(long, value_name = "ENGINE", help_heading = LISTENING)]
    #[arg(value_parser = text::parse::<EngineChoice>)]
    #[serde(with = "text::one")]
    pub engine: Option<EngineChoice>,

    /// How long a shard may wait for a batch of datagrams to gather [default: 20ms]
    ///
    /// Longer batches cost less CPU and need more room in the receive buffer; where that is small
    /// the wait is shortened, and also while a thousand datagrams come sooner. 0 takes each
    /// datagram as it comes. Up to the flush interval; the default is a quarter of it at most.
    #[arg(long, value_name = "TIME", help_heading = LISTENING)]
    #[arg(value_parser = text::parse::<Time>)]
    #[serde(with = "text::one")]
    pub max_wait: Option<Time>,

    /// Receive buffer to ask the kernel for, for each socket, in bytes [default: 32MiB]
    ///
    /// A buffer that is too small loses bursts. Without CAP_NET_ADMIN the kernel gives no more
    /// than net.core.rmem_max; a warning at start says so. At most 1GiB.
    #[arg(long, value_name = "SIZE", help_heading = LISTENING)]
    #[arg(value_parser = text::parse::<Size>)]
    #[serde(with = "text::one")]
    pub receive_buffer: Option<Size>,

    /// Longest datagram that is taken whole, in bytes [default: 65507]
    ///
    /// Of a longer one the complete lines that fit are kept and the loss is counted. Smaller saves
    /// memory where all clients keep to an MTU. 1 to 65507, the most that UDP allows over IPv4.
    #[arg(long, value_name = "SIZE", help_heading = LISTENING)]
    #[arg(value_parser = text::parse::<DatagramSize>)]
    #[serde(with = "text::number")]
    pub max_datagram: Option<DatagramSize>,

    /// Send every UDP datagram on to this UDP address as it came: host:port, [::1]:port; repeatable
    /// [default: none]
    ///
    /// For a trial beside another daemon, which gets the same traffic. If that one is down or slow,
    /// it misses datagrams, and nothing else happens; what the kernel refuses of them is counted,
    /// which may be less. A host name is resolved once, at start.
    #[arg(long, value_name = "ADDRESS", help_heading = LISTENING, action = Append)]
    #[arg(value_parser = text::parse::<RepeatAddress>)]
    #[serde(with = "text::many")]
    pub repeat: Option<Vec<RepeatAddress>>,

    /// Send points there: [host]:port or port of a Graphite server, graphite://host:port,
    /// graphite+pickle://host:port, console: or command:CMD; repeatable [default: console:]
    ///
    /// A missing host is localhost. Each sink has a connection and a queue of its own, so that a
    /// dead one harms no other. console: is the standard output: a table on a terminal, plain
    /// lines into a pipe or a file. command: starts a shell for each flush, which reads
    /// path|value|timestamp lines; command+binary: and command+binary+prefix: feed it statsite's
    /// binary stream.
    #[arg(short, long, value_name = "ADDRESS", help_heading = SINKS, action = Append)]
    #[arg(value_parser = text::parse::<SinkAddress>)]
    #[serde(with = "text::many")]
    pub sink: Option<Vec<SinkAddress>>,

    /// How much each sink may keep while its server is away, in bytes [default: 256MiB]
    ///
    /// When it is full the oldest lines go to the spool, or are dropped and counted.
    #[arg(long, value_name = "SIZE", help_heading = SINKS)]
    #[arg(value_parser = text::parse::<Size>)]
    #[serde(with = "text::one")]
    pub queue_bytes: Option<Size>,

    /// Send each slot within this share of the flush interval, hosts one after the other [default: 0]
    ///
    /// With 0.2 and a flush of 10s a host sends at its own moment in the 2 s behind the end of a slot,
    /// which follows from its name. For hundreds of hosts with one Graphite server. Slots are cut and
    /// stamped as without it, and wait in memory; commands and the console get theirs at once. Up to
    /// 0.9.
    #[arg(long, value_name = "SHARE", help_heading = SINKS)]
    #[arg(value_parser = text::parse::<Spread>)]
    #[serde(with = "text::ratio")]
    pub spread: Option<Spread>,

    /// Keep what sinks cannot take in this folder, until they can [default: none]
    ///
    /// Each sink has a folder of its own there, with a compressed file for each interval that waits.
    /// They are sent when the sink is back, also after a restart or a crash.
    #[arg(long, value_name = "DIR", help_heading = SINKS)]
    #[arg(value_parser = text::parse::<FilePath>)]
    #[serde(with = "text::one")]
    pub spool: Option<FilePath>,

    /// How much disk the spool of each sink may take, in bytes [default: 1GiB]
    ///
    /// Beyond it the oldest intervals are dropped and counted.
    #[arg(long, value_name = "SIZE", help_heading = SINKS)]
    #[arg(value_parser = text::parse::<Size>)]
    #[serde(with = "text::one")]
    pub spool_bytes: Option<Size>,

    /// Drop intervals that have been in the spool for longer than this [default: 7d]
    ///
    /// Counted from the end of the interval. For servers that refuse old points, or take them badly.
    #[arg(long, value_name = "TIME", help_heading = SINKS)]
    #[arg(value_parser = text::parse::<Time>)]
    #[serde(with = "text::one")]
    pub spool_age: Option<Time>,

    /// How long a command: sink may take for the points of a flush
    /// [default: the flush interval, but at least 10s]
    ///
    /// A command that has not ended by then is killed, and is fed the same points again as after any
    /// failure, three times at most.
    #[arg(long, value_name = "TIME", help_heading = SINKS)]
    #[arg(value_parser = text::parse::<Time>)]
    #[serde(with = "text::one")]
    pub command_timeout: Option<Time>,

    /// Flush interval: seconds, also 0.5, 500ms or 1m [default: 10s]
    ///
    /// From 1ms to 1d. A Graphite server needs 1s or more, and its storage schema should have the
    /// same interval.
    #[arg(short, long, value_name = "SECONDS", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<FlushInterval>)]
    #[serde(with = "text::one")]
    pub flush: Option<FlushInterval>,

    /// Flush at wall-clock multiples of the interval [default: true; false with naming gstatsd or statsite's]
    ///
    /// The first interval is then shorter. false counts from the start, as the other daemons
    /// do.
    #[arg(long, help_heading = AGGREGATION, action = Set)]
    #[arg(value_name = "true|false", hide_possible_values = true)]
    pub align: Option<bool>,

    /// Whose paths and arithmetic the points follow: etsy, etsy-legacy, gstatsd, statsite or
    /// python-statsite [default: etsy]
    ///
    /// Take the one that your dashboards were made for. Started under the name gstatsd or statsite,
    /// ringstat takes that one's options and naming.
    #[arg(long, value_name = "NAMING", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<Dialect>)]
    #[serde(with = "text::one")]
    pub naming: Option<Dialect>,

    /// Put this before the name of every series; {host} is the first label of the host name
    /// [default: none]
    ///
    /// With prefix web the counter hits is stats.counters.web.hits.count. For several daemons that
    /// write to one server: --prefix '{host}'.
    #[arg(short = 'x', long, value_name = "PREFIX", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<Prefix>)]
    #[serde(with = "text::one")]
    pub prefix: Option<Prefix>,

    /// Put this before the names of counters, in place of what the naming has there
    /// [default: that of the naming]
    ///
    /// Raw text, its last dot included: counts. or stats.counters. It may be empty. Not with naming
    /// gstatsd or etsy-legacy, which have more than one such text.
    #[arg(long, value_name = "TEXT", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<PathText>)]
    #[serde(with = "text::one")]
    pub counter_prefix: Option<PathText>,

    /// Put this before the names of timers, in place of what the naming has there
    /// [default: that of the naming]
    ///
    /// As --counter-prefix.
    #[arg(long, value_name = "TEXT", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<PathText>)]
    #[serde(with = "text::one")]
    pub timer_prefix: Option<PathText>,

    /// Put this before the names of gauges, in place of what the naming has there
    /// [default: that of the naming]
    ///
    /// As --counter-prefix.
    #[arg(long, value_name = "TEXT", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<PathText>)]
    #[serde(with = "text::one")]
    pub gauge_prefix: Option<PathText>,

    /// Put this before the names of sets, in place of what the naming has there
    /// [default: that of the naming]
    ///
    /// As --counter-prefix.
    #[arg(long, value_name = "TEXT", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<PathText>)]
    #[serde(with = "text::one")]
    pub set_prefix: Option<PathText>,

    /// Put this before the names of key-values, in place of what the naming has there
    /// [default: that of the naming]
    ///
    /// As --counter-prefix.
    #[arg(long, value_name = "TEXT", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<PathText>)]
    #[serde(with = "text::one")]
    pub kv_prefix: Option<PathText>,

    /// Put this behind the statistic of every path, after a dot; {host} as in a prefix
    /// [default: none]
    ///
    /// With suffix web the counter hits is stats.counters.hits.count.web. Tags stay last. Only with
    /// naming etsy or etsy-legacy.
    #[arg(long, value_name = "SUFFIX", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<Prefix>)]
    #[serde(with = "text::one")]
    pub suffix: Option<Prefix>,

    /// Send a counter's sum beside its rate [default: true]
    ///
    /// false sends the rate alone. Only with naming etsy or etsy-legacy.
    #[arg(long, help_heading = AGGREGATION, action = Set)]
    #[arg(value_name = "true|false", hide_possible_values = true)]
    pub counter_counts: Option<bool>,

    /// Send a counter as .count and .rate: none, sum (the count is the sum) or samples (it is the
    /// number of samples) [default: none]
    ///
    /// none sends the sum alone. Only with naming statsite.
    #[arg(long, value_name = "KIND", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<ExtendedCounters>)]
    #[serde(with = "text::one")]
    pub extended_counters: Option<ExtendedCounters>,

    /// Percentile of timers to report, -100 to 100; a comma list, or repeated
    /// [default: 90; 50,95,99 with naming statsite]
    ///
    /// 99.9 gives upper_99_9, mean_99_9 and so on. A negative one looks from the top and is only
    /// for naming etsy or etsy-legacy. An empty value gives none.
    #[arg(short, long, value_name = "PERCENT", help_heading = AGGREGATION, action = Append)]
    #[arg(value_parser = text::parse::<Percents>, allow_hyphen_values = true)]
    #[serde(with = "text::percents")]
    pub percent: Option<Vec<Percents>>,

    /// Statistic of timers to send; repeatable [default: all of them]
    ///
    /// In the words of the naming: count, mean, upper and so on. With naming etsy upper_percent
    /// stands for upper_90 and the like; with naming statsite percentiles are sent in any case, and
    /// none alone leaves it at them.
    #[arg(long, value_name = "NAME", help_heading = AGGREGATION, action = Append)]
    #[arg(value_parser = text::parse::<StatisticName>)]
    #[serde(with = "text::many")]
    pub timer_statistics: Option<Vec<StatisticName>>,

    /// Bins to count the values of timers in; repeatable [default: none]
    ///
    /// With naming statsite PREFIX:MIN:MAX:WIDTH, such as api.:0:100:5: the longest prefix wins. With
    /// naming etsy TEXT:EDGE,EDGE,inf: the first whose text is in the name wins.
    #[arg(long, value_name = "BINS", help_heading = AGGREGATION, action = Append)]
    #[arg(value_parser = text::parse::<Histogram>)]
    #[serde(with = "text::many")]
    pub histogram: Option<Vec<Histogram>>,

    /// Let a timer's sample rate count in all its statistics [default: false]
    ///
    /// false weights only its count, as other daemons do.
    #[arg(long, help_heading = AGGREGATION)]
    #[arg(value_name = "true|false", hide_possible_values = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub weighted_timers: Option<bool>,

    /// Keep DogStatsD tags as Graphite tags [default: true; false with naming gstatsd or statsite's]
    ///
    /// false drops them before a series is looked up, so that all its tag sets become one series.
    #[arg(long, help_heading = AGGREGATION, action = Set)]
    #[arg(value_name = "true|false", hide_possible_values = true)]
    pub tags: Option<bool>,

    /// How long a silent counter, timer or set is still reported, as 0
    /// [default: 5m; none with naming gstatsd or statsite's]
    ///
    /// 0 reports it for ever; none says nothing of it while it is silent, as naming gstatsd and
    /// statsite's two always do.
    #[arg(long, value_name = "TIME", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<Idle>)]
    #[serde(with = "text::one")]
    pub idle: Option<Idle>,

    /// How long a silent counter is still reported, as 0 [default: as idle]
    ///
    /// Where counters need another time than the other types; values as with --idle.
    #[arg(long, value_name = "TIME", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<Idle>)]
    #[serde(with = "text::one")]
    pub idle_counters: Option<Idle>,

    /// How long a silent timer is still reported, as 0 [default: as idle]
    ///
    /// Where timers need another time than the other types; values as with --idle.
    #[arg(long, value_name = "TIME", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<Idle>)]
    #[serde(with = "text::one")]
    pub idle_timers: Option<Idle>,

    /// How long a silent set is still reported, as 0 [default: as idle]
    ///
    /// Where sets need another time than the other types; values as with --idle.
    #[arg(long, value_name = "TIME", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<Idle>)]
    #[serde(with = "text::one")]
    pub idle_sets: Option<Idle>,

    /// How long a silent gauge is still reported with its last level
    /// [default: 0; none with naming gstatsd or statsite's]
    ///
    /// 0 reports it for ever; none says nothing of it while it is silent, as naming gstatsd and
    /// statsite's two always do.
    #[arg(long, value_name = "TIME", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<Idle>)]
    #[serde(with = "text::one")]
    pub idle_gauges: Option<Idle>,

    /// Where ringstat's own metrics go
    /// [default: ringstat.{host}; none with naming gstatsd or statsite's; statsd with own_metrics
    /// etsy]
    ///
    /// An empty value sends none of them. {host} is the first label of the host name.
    #[arg(long, value_name = "PREFIX", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<Prefix>)]
    #[serde(with = "text::one")]
    pub own_prefix: Option<Prefix>,

    /// In whose words the own metrics are: ringstat or etsy [default: ringstat]
    ///
    /// etsy: statsd.numStats, bad_lines_seen, packets_received and the rest of what etsy's statsd
    /// sends about itself, with own_prefix in the place of its prefixStats. With naming etsy and
    /// etsy-legacy only, and with intervals below a second allowed, as there.
    #[arg(long, value_name = "WORDS", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<OwnWords>)]
    #[serde(with = "text::one")]
    pub own_metrics: Option<OwnWords>,

    /// What goes before own_prefix in own metrics in etsy's words [default: stats]
    ///
    /// etsy's globalPrefix; it may be empty. With naming etsy only.
    #[arg(long, value_name = "PREFIX", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<Prefix>)]
    #[serde(with = "text::one")]
    pub own_namespace: Option<Prefix>,

    /// Count all samples received in a counter of this name [default: none]
    ///
    /// It is sent like a client's counter; a sample counts even if its value cannot be read. It is 0
    /// if nothing came, where the naming reports silent counters.
    #[arg(long, value_name = "NAME", help_heading = AGGREGATION)]
    #[arg(value_parser = text::parse::<PathText>)]
    #[serde(with = "text::one")]
    pub input_counter: Option<PathText>,

    /// Most series that a shard holds, all types together [default: 1000000]
    ///
    /// When it is reached the longest silent ones make room; a new one is refused, and counted,
    /// only if all are live. More costs memory.
    #[arg(long, value_name = "COUNT", help_heading = LIMITS)]
    #[arg(value_parser = text::parse::<TableCount>)]
    #[serde(with = "text::number")]
    pub max_series: Option<TableCount>,

    /// Refuse all series of these names; * stands for anything, dots included; repeatable
    /// [default: none]
    ///
    /// As in app.debug.*, compared with a name as it is sent, made safe and with its tags, but without
    /// prefixes. For a flood that cannot be stopped where it comes from: at SIGHUP it also stops
    /// series that are there. At most 64.
    #[arg(long, value_name = "PATTERN", help_heading = LIMITS, action = Append)]
    #[arg(value_parser = text::parse::<Pattern>)]
    #[serde(with = "text::many")]
    pub deny: Option<Vec<Pattern>>,

    /// Most series that names of a pattern may have, as in app.*=10000; repeatable [default: none]
    ///
    /// Of all types and all shards together. Beyond it new names are refused, and those that are
    /// known go on. In a file: quota."app.*" = 10000. At most 64.
    #[arg(long, value_name = "PATTERN=COUNT", help_heading = LIMITS, action = Append)]
    #[arg(value_parser = text::parse::<Quota>)]
    #[serde(with = "super::quotas")]
    pub quota: Option<Vec<Quota>>,

    /// Most memory that all tables and what is merged of them may take, in bytes [default: 8GiB]
    ///
    /// A ceiling in equal parts for the shards. Where a part is nearly full new names are refused,
    /// timers fold and sets are estimated, as past their own limits; known series go on.
    #[arg(long, value_name = "SIZE", help_heading = LIMITS)]
    #[arg(value_parser = text::parse::<Size>)]
    #[serde(with = "text::one")]
    pub max_memory: Option<Size>,

    /// Most timer values that a shard keeps in an interval [default: 4000000]
    ///
    /// Beyond it percentiles come from a sketch with an error of --timer-error at most; counts, sums
    /// and extremes stay exact. More costs memory.
    #[arg(long, value_name = "COUNT", help_heading = LIMITS)]
    #[arg(value_parser = text::parse::<TableCount>)]
    #[serde(with = "text::number")]
    pub max_timer_values: Option<TableCount>,

    /// How far a percentile may be from the true one, relative to it, where a timer has too many
    /// values to keep [default: 0.005]
    ///
    /// From 0.0001 to 0.5. A smaller error takes more memory for such timers.
    #[arg(long, value_name = "RATIO", help_heading = LIMITS)]
    #[arg(value_parser = text::parse::<TimerError>)]
    #[serde(with = "text::ratio")]
    pub timer_error: Option<TimerError>,

    /// Most members that one set keeps exactly [default: 4096]
    ///
    /// Beyond it the number of members is an estimate (HyperLogLog) with an error of about
    /// --set-error.
    #[arg(long, value_name = "COUNT", help_heading = LIMITS)]
    #[arg(value_parser = text::parse::<TableCount>)]
    #[serde(with = "text::number")]
    pub max_set_values: Option<TableCount>,

    /// Standard error of the number of members where a set has too many to keep, relative to it
    /// [default: 0.0163]
    ///
    /// From 0.0021 to 0.26. Half the error takes four times the memory for such sets.
    #[arg(long, value_name = "RATIO", help_heading = LIMITS)]
    #[arg(value_parser = text::parse::<SetError>)]
    #[serde(with = "text::ratio")]
    pub set_error: Option<SetError>,

    /// Keep in this file what shall outlive a restart [default: none]
    ///
    /// The levels of gauges, how long series have been silent, and a slot that the restart cuts in
    /// two, which is then sent once more as a whole. Without it a gauge that is moved by +5 or -5
    /// starts from 0 again, and of a slot that is cut in two Graphite keeps the second part only.
    #[arg(long, value_name = "FILE", help_heading = PROCESS)]
    #[arg(value_parser = text::parse::<FilePath>)]
    #[serde(with = "text::one")]
    pub state_file: Option<FilePath>,

    /// How old a state file may be to be read; 0 for any age [default: 1h]
    ///
    /// An older one is not used: levels from before a long outage would be repeated as if they were of
    /// today.
    #[arg(long, value_name = "TIME", help_heading = PROCESS)]
    #[arg(value_parser = text::parse::<Time>)]
    #[serde(with = "text::one")]
    pub state_age: Option<Time>,

    /// Write the process id to this file [default: none]
    ///
    /// For init scripts that stop a daemon by it, with --daemonize or without.
    #[arg(long, value_name = "FILE", help_heading = PROCESS)]
    #[arg(value_parser = text::parse::<FilePath>)]
    #[serde(with = "text::one")]
    pub pid_file: Option<FilePath>,

    /// Go into the background [default: false]
    ///
    /// The command returns when the daemon receives, or with the reason why it cannot. Not needed
    /// under a service manager. Combine with --log, for the terminal is left.
    #[arg(short = 'D', long, help_heading = PROCESS)]
    #[arg(value_name = "true|false", hide_possible_values = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub daemonize: Option<bool>,

    /// Append the log to this file; - is the standard output [default: none]
    ///
    /// Without it the log goes to the standard error, which service managers collect.
    #[arg(long, value_name = "FILE", help_heading = PROCESS)]
    #[arg(value_parser = text::parse::<FilePath>)]
    #[serde(with = "text::one")]
    pub log: Option<FilePath>,

    /// Log to syslog, as this facility: user, daemon, local0 to local7 and the like [default: none]
    ///
    /// And to the standard error, if that is a terminal or there is no syslog, and with naming statsite
    /// in the foreground, as statsite does.
    #[arg(long, value_name = "FACILITY", help_heading = PROCESS)]
    #[arg(value_parser = text::parse::<Facility>)]
    #[serde(with = "text::one")]
    pub syslog: Option<Facility>,

    /// Log from this level on: off, error, warn, info, debug or trace [default: info]
    ///
    /// error: something was lost; warn: something failed and we recovered; info: we started,
    /// stopped, reconnected.
    #[arg(long, value_name = "LEVEL", help_heading = PROCESS)]
    #[arg(value_parser = text::parse::<LogLevel>)]
    #[serde(with = "text::one")]
    pub log_level: Option<LogLevel>,

    /// Log every line as it comes [default: false]
    ///
    /// To find a client that misbehaves. Receiving waits for the log: with much traffic the kernel
    /// drops datagrams.
    #[arg(long, help_heading = PROCESS)]
    #[arg(value_name = "true|false", hide_possible_values = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub log_lines: Option<bool>,

    /// Write how many lines came for each name, the busiest first, this often [default: none]
    ///
    /// At the first flush after this time, as TIME count=N key=NAME. At most --max-series names are
    /// counted. It costs a lookup more for each line.
    #[arg(long, value_name = "TIME", help_heading = PROCESS)]
    #[arg(value_parser = text::parse::<Time>)]
    #[serde(with = "text::one")]
    pub name_counts: Option<Time>,

    /// How many of these names are written, in percent [default: 100]
    ///
    /// A part of a name counts as one. Take less where there are very many.
    #[arg(long, value_name = "PERCENT", help_heading = PROCESS)]
    #[arg(value_parser = text::parse::<Percent>)]
    #[serde(with = "text::one")]
    pub name_counts_percent: Option<Percent>,

    /// Append them to this file; - is the standard output [default: -]
    ///
    /// It is opened for each time, so that it may be rotated.
    #[arg(long, value_name = "FILE", help_heading = PROCESS)]
    #[arg(value_parser = text::parse::<FilePath>)]
    #[serde(with = "text::one")]
    pub name_counts_file: Option<FilePath>,

    /// What the process is called in lists of processes, and in syslog [default: none]
    ///
    /// Without it as the program that was started. Lists of processes show its first 15 bytes.
    #[arg(long, value_name = "NAME", help_heading = PROCESS)]
    #[arg(value_parser = text::parse::<Title>)]
    #[serde(with = "text::one")]
    pub title: Option<Title>,

    /// Log more: -v debug and a sample of the refused lines, -vv trace [default: 0]
    ///
    /// It raises --log-level, never lowers it. In a file: verbose = 1.
    #[arg(short, long, help_heading = PROCESS, action = Counted)]
    #[serde(skip_serializing_if = "is_not_given")]
    pub verbose: u8,
}

fn is_not_given(count: &u8) -> bool {
    *count == 0
}

const LISTENING: &str = "Listening";
const SINKS: &str = "Sinks";
const AGGREGATION: &str = "Aggregation";
const LIMITS: &str = "Limits";
const PROCESS: &str = "Process";
