use std::future::poll_fn;

use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::net::TcpListener;

use super::*;

/// An outbox whose stream takes this much before somebody reads.
fn outbox(takes: usize, bytes_max: usize) -> (Outbox, DuplexStream) {
    let (ours, theirs) = duplex(takes);
    (Outbox::new(Wire::Boxed(Box::pin(ours)), bytes_max), theirs)
}

fn framed(texts: &[&str]) -> Vec<u8> {
    let mut frames = Vec::new();
    for text in texts {
        frame::write(&mut frames, frame::TEXT, text.as_bytes());
    }
    frames
}

/// Flushes once, as far as the stream takes it.
async fn flush(outbox: &Outbox) {
    poll_fn(|cx| {
        outbox.flush(cx);
        Poll::Ready(())
    })
    .await;
}

async fn read(stream: &mut DuplexStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn what_a_stream_does_not_take_follows_in_order() {
    let (outbox, mut peer) = outbox(4, 1024);
    let all = framed(&["one", "two", "three"]);
    outbox.send_text(b"one");
    outbox.send_slices(&[
        IoSlice::new(&framed(&["two"])),
        IoSlice::new(&framed(&["three"])),
    ]);
    let mut heard = Vec::new();
    while heard.len() < all.len() {
        flush(&outbox).await;
        heard.extend(read(&mut peer, 1).await);
    }
    flush(&outbox).await;
    assert_eq!((heard, outbox.waiting()), (all, 0));
}

#[tokio::test]
async fn who_lags_hears_the_frame_that_has_begun_and_the_last_words() {
    let (outbox, mut peer) = outbox(4, 20);
    outbox.send_text(b"begun");
    flush(&outbox).await;
    outbox.send_text(b"waits");
    assert_eq!(outbox.state(), State::Open);
    outbox.send_text(b"too much of it");
    assert_eq!(outbox.state(), State::Lagging);
    outbox.send_text(b"not even kept");
    outbox.cut();
    outbox.send_text(b"lagged");
    let all = framed(&["begun", "lagged"]);
    let mut heard = Vec::new();
    while heard.len() < all.len() {
        flush(&outbox).await;
        heard.extend(read(&mut peer, 1).await);
    }
    assert_eq!(
        (heard, outbox.state(), outbox.waiting()),
        (all, State::Open, 0)
    );
}

#[test]
fn what_waits_is_bounded_to_the_byte() {
    const BOUND: usize = 1_000;
    for (bytes, state) in [
        (BOUND - 1, State::Open),
        (BOUND, State::Open),
        (BOUND + 1, State::Lagging),
    ] {
        let held = Outbox::new(Wire::Held, BOUND);
        let first = framed(&["first"]);
        held.send(&first);
        held.send(&vec![0; bytes - first.len()]);
        assert_eq!(held.state(), state, "{bytes}");
        let kept = if bytes > BOUND { first.len() } else { bytes };
        assert_eq!(held.waiting(), kept);
        // Nor does the memory for it grow beyond.
        assert!(held.queue.borrow().capacity() <= BOUND + queue::COMPACT_BYTES);
    }
}

#[tokio::test]
async fn an_answer_leaves_with_what_follows_or_when_it_is_let_go() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (ours, _) = listener.accept().await.unwrap();
    let outbox = Outbox::new(Wire::Plain(ours), 1024);
    let mut all = vec![0; framed(&["answer", "event", "one", "two"]).len()];
    outbox.put_text(b"answer");
    let waiting = outbox.waiting();
    outbox.send_text(b"event");
    outbox.put_text(b"one");
    assert!(outbox.send_if_idle(&framed(&["two"])));
    assert_eq!((waiting, outbox.waiting()), (framed(&["answer"]).len(), 0));
    peer.read_exact(&mut all).await.unwrap();
    assert_eq!(all, framed(&["answer", "event", "one", "two"]));

    let mut last = vec![0; framed(&["last"]).len()];
    outbox.put_text(b"last");
    outbox.uncork();
    assert_eq!(outbox.waiting(), 0);
    peer.read_exact(&mut last).await.unwrap();
    assert_eq!(last, framed(&["last"]));
}

#[tokio::test]
async fn what_any_stream_takes_leaves_at_once_however_many_there_are() {
    // More than a task of the runtime may do before others have their turn.
    let streams: Vec<_> = (0..300).map(|_| outbox(1024, 1024)).collect();
    for (outbox, _) in &streams {
        outbox.put_text(b"answer");
        assert!(outbox.send_if_idle(&framed(&["typing"])));
        outbox.send_slices(&[IoSlice::new(&framed(&["one"]))]);
        assert_eq!(outbox.waiting(), 0);
    }
    let all = framed(&["answer", "typing", "one"]);
    for (_, mut peer) in streams {
        assert_eq!(read(&mut peer, all.len()).await, all);
    }
}

#[tokio::test]
async fn signals_give_way_to_whatever_waits() {
    let (outbox, _peer) = outbox(4, 1024);
    assert!(outbox.send_if_idle(&framed(&["typing"])));
    assert!(!outbox.send_if_idle(&framed(&["typing"])));
    assert_eq!(outbox.waiting(), framed(&["typing"]).len() - 4);
}

#[tokio::test]
async fn without_a_stream_everything_waits_until_it_is_taken_or_a_stream_comes() {
    let held = Outbox::new(Wire::Held, 1024);
    for text in ["one", "two", "three"] {
        held.send_text(text.as_bytes());
    }
    held.send_binary(&[1, 2]);
    let mut taken = Vec::new();
    held.take(|is_text, message| {
        let wanted = message == b"one";
        if wanted {
            taken.push(is_text);
        }
        wanted
    });
    assert_eq!(taken, [true]);
    let (outbox, mut peer) = outbox(1024, 1024);
    outbox.send_text(b"before");
    held.adopt(&outbox);
    flush(&held).await;
    let mut all = framed(&["before", "two", "three"]);
    frame::write(&mut all, frame::BINARY, &[1, 2]);
    assert_eq!(read(&mut peer, all.len()).await, all);
    assert_eq!(held.waiting(), 0);
}

#[tokio::test]
async fn a_long_queue_makes_room_and_loses_nothing() {
    let (outbox, mut peer) = outbox(50_000, 1 << 20);
    let long = "x".repeat(30_000);
    let all = framed(&[long.as_str(); 10]);
    for _ in 0..10 {
        outbox.send_text(long.as_bytes());
    }
    let mut heard = Vec::new();
    while heard.len() < all.len() {
        flush(&outbox).await;
        let most = (all.len() - heard.len()).min(10_000);
        heard.extend(read(&mut peer, most).await);
        let kept = outbox.queue.borrow().kept();
        assert!(kept <= all.len() - heard.len() + 2 * queue::COMPACT_BYTES + 50_000);
    }
    assert!(heard == all);
}

#[tokio::test]
async fn a_broken_stream_shows_in_the_state() {
    let (outbox, peer) = outbox(4, 1024);
    drop(peer);
    outbox.send_text(b"nobody hears");
    flush(&outbox).await;
    assert_eq!(outbox.state(), State::Broken);
}
