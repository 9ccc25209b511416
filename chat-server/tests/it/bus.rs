//! The contract of a bus, kept by every adapter.

#[cfg(feature = "nats")]
mod broker;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "nats")]
mod secure;
#[cfg(feature = "nats")]
mod servers;

use std::sync::Arc;

use chat_server::bus::Bus;
use chat_server::bus::conformance::{self, Ends};
use chat_server::bus::local::Local;

/// Tells each story to each adapter.
macro_rules! contract {
    ($($story:ident,)*) => {
        mod on_local {
            $(#[tokio::test]
            async fn $story() {
                super::tell(stringify!($story), super::local()).await;
            })*
        }

        #[cfg(feature = "nats")]
        mod on_nats {
            $(#[tokio::test]
            async fn $story() {
                super::nats::tell(stringify!($story)).await;
            })*
        }
    };
}

chat_server::for_each_bus_story!(contract);

/// Tells the story of this name to a bus.
async fn tell(name: &str, ends: Ends) {
    let mut stories = conformance::stories().iter();
    let story = stories.find(|it| it.name() == name).unwrap();
    story.tell(ends).await;
}

fn local() -> Ends {
    let one = Local::new();
    let (two, three) = (one.join(), one.join());
    [Arc::new(one), Arc::new(two), Arc::new(three)]
}

#[tokio::test]
async fn the_bus_of_one_process_knows_when_a_node_is_alone() {
    let one = Local::new();
    assert!(one.is_alone());
    let two = one.join();
    assert!(!one.is_alone() && !two.is_alone());
    drop(one);
    assert!(two.is_alone());
}
