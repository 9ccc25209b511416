//! Whether the server is ready is a write to find out, and anybody may ask.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use chat_server::Server;
use chat_server::store::Store;
use futures_util::future::join_all;

use super::watched::Watched;
use crate::world::{World, config, http};

#[tokio::test]
async fn however_many_ask_whether_it_is_ready_the_store_is_asked_once_a_second() {
    let store = Watched::new();
    let shared: Arc<dyn Store> = store.clone();
    let world = World::started(Server::builder(config()).store(shared)).await;
    let ask = || http(world.address, "GET", "/readyz", &[], b"");
    let began = Instant::now();
    for _ in 0..10 {
        for said in join_all((0..20).map(|_| ask())).await {
            assert_eq!((said.status, said.body.as_str()), (200, "ok\n"));
        }
    }
    let (checks, seconds) = (store.checks.load(Ordering::SeqCst), began.elapsed());
    assert!(
        checks as u64 <= seconds.as_secs() + 1,
        "{checks} in {seconds:?}"
    );

    // What was found out counts for a moment, and no longer.
    store.down.store(true, Ordering::SeqCst);
    while ask().await.status != 503 {}
    store.down.store(false, Ordering::SeqCst);
    while ask().await.status != 200 {}
    world.stop().await;
}
