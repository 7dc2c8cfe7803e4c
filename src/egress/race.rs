//! Two futures at once.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Which of two was first.
#[derive(Debug)]
pub(super) enum First<A, B> {
    /// The first one.
    Left(A),
    /// The second one.
    Right(B),
}

/// Drives both and gives what the one gave that is ready first; when both are, the left one.
pub(super) async fn race<A, B>(left: impl Future<Output = A>, right: impl Future<Output = B>) -> First<A, B> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|context| {
        if let Poll::Ready(value) = left.as_mut().poll(context) {
            return Poll::Ready(First::Left(value));
        }
        right.as_mut().poll(context).map(First::Right)
    })
    .await
}

/// Drives both until both went well, or one did not.
pub(super) async fn both<E>(
    left: impl Future<Output = Result<(), E>>,
    right: impl Future<Output = Result<(), E>>,
) -> Result<(), E> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    match race(&mut left, &mut right).await {
        First::Left(Ok(())) => right.await,
        First::Right(Ok(())) => left.await,
        First::Left(wrong) | First::Right(wrong) => wrong,
    }
}
