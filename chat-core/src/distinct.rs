//! Maps of which no key comes twice.

use alloc::collections::BTreeMap;
use core::fmt;
use core::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// Deserializes a map and refuses a key that comes twice, where a map alone would keep the last:
/// two readers of the same text could take it for two things.
///
/// # Errors
///
/// What the deserializer says, or that a key comes twice.
pub fn distinct_keys<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
{
    Distinct::deserialize(deserializer).map(|it| it.0)
}

/// The same for a map that may be absent.
pub(crate) fn some_distinct_keys<'de, D, K, V>(
    deserializer: D,
) -> Result<Option<BTreeMap<K, V>>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
{
    Option::<Distinct<K, V>>::deserialize(deserializer).map(|it| it.map(|it| it.0))
}

struct Distinct<K, V>(BTreeMap<K, V>);

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for Distinct<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<K, V>(PhantomData<(K, V)>);

        impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Pairs<K, V> {
            type Value = BTreeMap<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
                let mut map = BTreeMap::new();
                while let Some((key, value)) = pairs.next_entry()? {
                    if map.insert(key, value).is_some() {
                        return Err(A::Error::custom("a key comes twice"));
                    }
                }
                Ok(map)
            }
        }

        deserializer.deserialize_map(Pairs(PhantomData)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::{Post, UpdateRoom};

    #[test]
    fn a_map_is_read_as_it_is_said_and_refused_if_it_says_a_key_twice() {
        let update = |json: &str| serde_json::from_str::<UpdateRoom>(json);
        let wish = update(r#"{"overrides":{"member":{"allow":["pin"],"deny":[]}}}"#).unwrap();
        assert_eq!(wish.overrides.map(|it| it.len()), Some(1));
        assert_eq!(update("{}").unwrap().overrides, None);
        assert!(update(r#"{"overrides":{"member":{},"member":{}}}"#).is_err());

        let post = |json: &str| serde_json::from_str::<Post>(json);
        let ext = post(r#"{"ext":{"a":"1","b":"2"}}"#).unwrap().ext;
        assert_eq!(ext.len(), 2);
        assert!(post(r#"{"ext":{"a":"1","a":"1"}}"#).is_err());
    }
}
