//! What each connection has a few of: kept in lists that take little more memory than it.

/// A map of a few entries, in the order of their keys.
///
/// A tree makes room for eleven at once; there are as many of these as connections, and most hold
/// one.
#[derive(Clone, Debug)]
pub(crate) struct Few<K, V>(Vec<(K, V)>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Copy + Ord, V> Few<K, V> {
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains_key(&self, key: K) -> bool {
        self.find(key).is_ok()
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        let found = self.0.get(self.find(key).ok()?);
        found.map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let at = self.find(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// Puts an entry in the place of the one with the same key, if there is one.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.find(key) {
            Ok(at) => {
                if let Some((_, held)) = self.0.get_mut(at) {
                    *held = value;
                }
            }
            Err(at) => {
                make_room(&mut self.0);
                self.0.insert(at, (key, value));
            }
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let (_, value) = self.0.remove(self.find(key).ok()?);
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(2 * self.0.len());
        }
        Some(value)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = K> {
        self.0.iter().map(|(key, _)| *key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    fn find(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |(held, _)| *held)
    }
}

/// Appends to a list that will most likely stay as short as it is.
pub(crate) fn push<T>(list: &mut Vec<T>, item: T) {
    make_room(list);
    list.push(item);
}

/// Makes room for one more: for as many again as there are, where a vector would begin with four.
fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len().max(1));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_takes_the_room_of_one() {
        let mut few = Few::default();
        few.insert(7, "seven");
        assert_eq!(few.0.capacity(), 1);
        for number in 0..64 {
            few.insert(number, "another");
        }
        for number in 1..64 {
            few.remove(number);
        }
        assert!(few.0.capacity() <= 4, "room for {}", few.0.capacity());
    }

    proptest! {
        #[test]
        fn a_few_are_kept_as_a_map_keeps_them(
            steps in prop::collection::vec((0..12_u8, prop::option::of(any::<u8>())), 0..80),
        ) {
            let (mut few, mut map) = (Few::default(), BTreeMap::new());
            for (key, value) in steps {
                match value {
                    Some(value) => {
                        few.insert(key, value);
                        map.insert(key, value);
                    }
                    None => prop_assert_eq!(few.remove(key), map.remove(&key)),
                }
                prop_assert_eq!(few.get(key), map.get(&key));
                prop_assert_eq!(few.get_mut(key), map.get_mut(&key));
                prop_assert!(few.keys().eq(map.keys().copied()));
                prop_assert!(few.iter().eq(map.iter().map(|(key, value)| (*key, value))));
                prop_assert_eq!((few.len(), few.is_empty()), (map.len(), map.is_empty()));
            }
        }
    }
}
