//! What is done to its end, whoever waits for it.

/// Carries something out to its end, even if whoever waits for it goes away meanwhile: a request's
/// handler is dropped when its client hangs up, and what has two halves would stop between them.
pub(crate) async fn carry_out<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("hanging_up_stops_it_halfway") {
        return work.await;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where work starts that nobody waits for"
    )]
    let task = tokio::spawn(work);
    match task.await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The runtime ends, and with it whoever waits.
        Err(Err(_)) => std::future::pending().await,
    }
}
