//! Several questions to the store at once.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// How many passwords are hashed at once at most: the queue that an import's hasher needs.
pub const TOGETHER: usize = 64;

/// Drives futures side by side; they are asked in their order, and answer in their order. What they
/// write goes to disk in few transactions.
pub(super) async fn all<F: Future>(asked: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let start = |future| (Some(Box::pin(future)), None);
    let mut asked: Vec<Asked<F>> = asked.into_iter().map(start).collect();
    // Each output lies on the heap beside its future, and is never pinned.
    poll_fn(move |context| {
        let mut pending = false;
        for (future, output) in &mut asked {
            let Some(it) = future else { continue };
            match it.as_mut().poll(context) {
                Poll::Ready(it) => (*future, *output) = (None, Some(it)),
                Poll::Pending => pending = true,
            }
        }
        if pending {
            return Poll::Pending;
        }
        Poll::Ready(asked.drain(..).filter_map(|(_, output)| output).collect())
    })
    .await
}

/// A future, until it is ready; then what came of it.
type Asked<F> = (Option<Pin<Box<F>>>, Option<<F as Future>::Output>);
