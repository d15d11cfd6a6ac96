//! Quotas in a file: a table from patterns to numbers of series, `quota."app.*" = 10000`.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserializer, Serializer};

use crate::metric::Quota;

pub(super) fn deserialize<'de, D>(deserializer: D) -> Result<Option<Vec<Quota>>, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(QuotasVisitor).map(Some)
}

pub(super) fn serialize<S>(quotas: &Option<Vec<Quota>>, serializer: S) -> Result<S::Ok, S::Error>
where
    S: Serializer,
{
    match quotas {
        Some(quotas) => serializer.collect_map(
            quotas
                .iter()
                .map(|quota| (quota.pattern.to_string(), quota.series_max)),
        ),
        None => serializer.serialize_none(),
    }
}

struct QuotasVisitor;

impl<'de> Visitor<'de> for QuotasVisitor {
    type Value = Vec<Quota>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of patterns and numbers, such as quota.\"app.*\" = 10000")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Vec<Quota>, A::Error> {
        let mut quotas = Vec::new();
        while let Some((pattern, series_max)) = table.next_entry::<String, u32>()? {
            quotas.push(Quota {
                pattern: pattern.parse().map_err(Error::custom)?,
                series_max,
            });
        }
        Ok(quotas)
    }
}
