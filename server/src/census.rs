//! Counts that cost little while there are few jobs and much when there are many: then the last one is given, and a new one
//! is made behind it, so that whoever looks at a board of a million jobs does not wait for them to be counted.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Up to so many jobs are counted anew each time.
const FEW: u64 = 10_000;
/// Counting may take one twentieth of the time.
const PAUSE: u32 = 19;
/// Counts for others are forgotten when there are this many.
const MANY: usize = 1_000;

/// What was counted, by what it was counted for.
pub struct Census<K, V> {
    /// How many jobs a count is about.
    size: fn(&V) -> u64,
    counts: Mutex<HashMap<K, Count<V>>>,
}

struct Count<V> {
    value: V,
    made: Instant,
    took: Duration,
    is_renewed: bool,
}

enum Found<V> {
    /// Good enough.
    Count(V),
    /// It may be shown while a new one is made.
    Old(V),
    Nothing,
}

impl<K, V> Census<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    pub fn new(size: fn(&V) -> u64) -> Arc<Self> {
        Arc::new(Self { size, counts: Mutex::default() })
    }

    /// The count for `key`; `count` makes one.
    pub async fn get<E, Counting>(self: &Arc<Self>, key: K, count: impl FnOnce() -> Counting) -> Result<V, E>
    where
        E: Send + 'static,
        Counting: Future<Output = Result<V, E>> + Send + 'static,
    {
        match self.find(&key) {
            Found::Count(value) => Ok(value),
            Found::Nothing => self.renew(key, count()).await,
            Found::Old(value) => {
                let (this, counting) = (Arc::clone(self), count());
                tokio::spawn(async move {
                    if this.renew(key.clone(), counting).await.is_err() {
                        // The next who looks tries again.
                        this.counts().remove(&key);
                    }
                });
                Ok(value)
            }
        }
    }

    fn find(&self, key: &K) -> Found<V> {
        let mut counts = self.counts();
        let Some(count) = counts.get_mut(key) else { return Found::Nothing };
        if (self.size)(&count.value) <= FEW {
            return Found::Nothing;
        }
        if count.is_renewed || count.made.elapsed() < count.took * PAUSE {
            return Found::Count(count.value.clone());
        }
        count.is_renewed = true;
        Found::Old(count.value.clone())
    }

    async fn renew<E>(&self, key: K, counting: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        let begin = Instant::now();
        let value = counting.await?;
        let made = Instant::now();
        let mut counts = self.counts();
        if counts.len() >= MANY {
            counts.clear();
        }
        if (self.size)(&value) > FEW {
            let count = Count { value: value.clone(), made, took: made - begin, is_renewed: false };
            counts.insert(key, count);
        } else {
            counts.remove(&key);
        }
        Ok(value)
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<K, Count<V>>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    async fn ask(census: &Arc<Census<(), u64>>, jobs: u64) -> u64 {
        let answer = census.get((), move || async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok::<_, Infallible>(jobs)
        });
        answer.await.unwrap()
    }

    #[tokio::test]
    async fn few_jobs_are_counted_each_time() {
        let census = Census::new(|jobs| *jobs);
        assert_eq!(ask(&census, 1).await, 1);
        assert_eq!(ask(&census, 2).await, 2);
    }

    #[tokio::test]
    async fn nobody_waits_for_many_jobs_to_be_counted_again() {
        let census = Census::new(|jobs| *jobs);
        assert_eq!(ask(&census, FEW + 1).await, FEW + 1);
        assert_eq!(ask(&census, FEW + 2).await, FEW + 1, "it is kept for a while");
        let seen = async {
            while ask(&census, FEW + 3).await != FEW + 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.expect("it is made anew behind");
        let few = async {
            while ask(&census, 4).await != 4 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), few).await.expect("and not kept when there are few");
    }
}
