//! Pages that follow what is stored: so many at a time, and so many of one person, who must not take everybody's places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// In all.
const MOST: usize = 128;

/// Of one person: some browsers with some tabs each.
const MOST_OF_PERSON: usize = 32;

/// How many each person has.
#[derive(Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<String, usize>>>);

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    All,
    Person,
}

/// A stream's place, given back when it ends.
pub(super) struct Place {
    person: String,
    of: Arc<Mutex<HashMap<String, usize>>>,
}

impl Streams {
    /// A place for one more of this person's.
    pub(super) fn take(&self, person: &str) -> Result<Place, Full> {
        let mut of = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if of.values().sum::<usize>() >= MOST {
            return Err(Full::All);
        }
        let own = of.get(person).copied().unwrap_or(0);
        if own >= MOST_OF_PERSON {
            return Err(Full::Person);
        }
        of.insert(person.to_string(), own + 1);
        Ok(Place {
            person: person.to_string(),
            of: Arc::clone(&self.0),
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        let of = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        of.values().sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let left = of.get(&self.person).map_or(0, |own| own.saturating_sub(1));
        if left == 0 {
            of.remove(&self.person);
        } else if let Some(own) = of.get_mut(&self.person) {
            *own = left;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_places_and_each_is_given_back() {
        let streams = Streams::default();
        let of = |person: &str| (0..MOST_OF_PERSON).map(|_| streams.take(person).unwrap()).collect();
        let mut all: Vec<Vec<Place>> = vec![of("anna")];
        assert_eq!(streams.take("anna").err(), Some(Full::Person));
        all.extend(["ben", "carl", "dora"].map(of));
        assert_eq!((streams.take("emil").err(), streams.count()), (Some(Full::All), MOST));
        all[1].pop();
        let one = streams.take("emil").unwrap();
        assert_eq!(streams.take("ben").err(), Some(Full::All));
        drop((one, all));
        assert_eq!((streams.count(), streams.0.lock().unwrap().len()), (0, 0));
    }
}
