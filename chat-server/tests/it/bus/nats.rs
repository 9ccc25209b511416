//! The bus over NATS, beyond what every bus does.

use std::sync::Arc;
use std::time::Duration;

use chat_core::{Timestamp, UserId};
use chat_protocol::close::Close;
use chat_server::bus::nats::{ClusterKey, Nats};
use chat_server::bus::{Bus, Hint};
use chat_server::clock::{Clock, ManualClock, SystemClock};
use chat_server::config::NatsUrl;
use chat_server::metrics::Metrics;
use tokio::time::timeout;

use super::broker::Broker;
use crate::world::PATIENCE;

/// Tells a story of the contract to three ends on a server of their own.
pub(super) async fn tell(story: &str) {
    let Some(broker) = Broker::start(&format!("the bus over NATS: {story}")) else {
        return;
    };
    let url = broker.url_for("");
    let ends = [
        end(&url, "a").await,
        end(&url, "a").await,
        end(&url, "a").await,
    ];
    super::tell(story, ends).await;
}

/// An end of the bus of those who know this secret.
async fn end(url: &NatsUrl, secret: &str) -> Arc<dyn Bus> {
    counting(url, secret).await.0
}

async fn counting(url: &NatsUrl, secret: &str) -> (Arc<dyn Bus>, Metrics) {
    with_clock(url, secret, Arc::new(SystemClock::new())).await
}

async fn with_clock(url: &NatsUrl, secret: &str, clock: Arc<dyn Clock>) -> (Arc<dyn Bus>, Metrics) {
    let metrics = Metrics::new(Timestamp::new(0));
    let nats = Nats::open(url, ClusterKey::new(secret), clock, &metrics).await;
    (Arc::new(nats.unwrap()), metrics)
}

fn news(number: u64) -> Hint {
    Hint::Ended {
        user: UserId::new(number),
        grant: None,
        close: Close::Unauthenticated,
    }
}

/// What an end hears until it has heard this, which is told until then.
async fn heard(from: &Arc<dyn Bus>, to: &Arc<dyn Bus>, last: &Hint) -> Vec<Hint> {
    let mut all = Vec::new();
    let hear = async {
        while !all.contains(last) {
            from.publish(vec![last.clone()]);
            if let Ok(told) = timeout(Duration::from_millis(50), to.hear()).await {
                all.extend(told.unwrap());
            }
        }
    };
    timeout(PATIENCE, hear).await.unwrap();
    all
}

#[tokio::test]
async fn stores_that_share_a_server_hear_nothing_of_each_other() {
    let Some(broker) = Broker::start("two stores on one NATS server") else {
        return;
    };
    let url = broker.url_for("");
    let (one, two) = (end(&url, "a").await, end(&url, "a").await);
    let (other, another) = (end(&url, "b").await, end(&url, "b").await);
    heard(&one, &two, &news(1)).await;
    heard(&two, &one, &news(2)).await;
    let all = heard(&other, &another, &news(3)).await;
    assert!(all.iter().all(|hint| *hint == news(3)), "{all:?}");
}

#[tokio::test]
async fn who_has_to_log_in_does_and_nobody_else_is_let_in() {
    let options = ["--user", "ann", "--pass", "s@me"];
    let Some(broker) = Broker::with("logging in to NATS", &options) else {
        return;
    };
    let known = broker.url_for("ann:s%40me@");
    let (one, two) = (end(&known, "a").await, end(&known, "a").await);
    let (_, stranger) = counting(&broker.url_for("ann:sesame@"), "a").await;
    heard(&one, &two, &news(1)).await;
    assert!(stranger.encode().contains("\nchat_bus_cut 1\n"));
}

#[tokio::test]
async fn nothing_holds_more_than_its_bound_while_nobody_can_be_reached() {
    let Some(mut broker) = Broker::start("a NATS server that is gone") else {
        return;
    };
    broker.stop();
    let (one, metrics) = counting(&broker.url_for(""), "a").await;
    let two = end(&broker.url_for(""), "a").await;
    for number in 0..100_000 {
        one.publish(vec![news(number)]);
    }
    broker.start_again();
    // Nothing of that waited: it would tell what was true long ago.
    let all = heard(&one, &two, &news(200_000)).await;
    assert!(all.len() < 10_000, "{}", all.len());
    let text = metrics.encode();
    let lost = text
        .lines()
        .find_map(|line| line.strip_prefix("chat_bus_hints_lost_total "));
    assert!(lost.unwrap().parse::<u64>().unwrap() > 90_000, "{lost:?}");
    assert!(text.contains("\nchat_bus_cut 0\n"), "{text}");
}

#[tokio::test]
async fn what_was_said_long_ago_is_not_heard() {
    let Some(broker) = Broker::start("a node that lives in the past") else {
        return;
    };
    let url = broker.url_for("");
    let now = Timestamp::new(1_000_000_000_000);
    let clock = || Arc::new(ManualClock::new(now));
    let (late, right) = (clock(), clock());
    late.jump(now.minus_ms(60_001));
    let (one, _) = with_clock(&url, "a", late.clone()).await;
    let (two, metrics) = with_clock(&url, "a", right).await;
    let refused = async {
        while metrics.encode().contains("\nchat_bus_unreadable_total 0\n") {
            one.publish(vec![news(1)]);
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.unwrap();
    late.jump(now);
    let all = heard(&one, &two, &news(2)).await;
    assert!(!all.contains(&news(1)), "{all:?}");
}
