//! Long logs: what memory forgets, the store still knows.

use chat_core::Room;
use serde_json::json;

use crate::check::{check, left};

stories! {
    fn a_room_comes_back_from_its_log_as_it_was() {
        check("alice create #den slow=5s
               bob join #den
               bob post #den hi cid=c1
               unload #den
               bob post #den hi cid=c1
               bob post #den ho
               wait 5s
               unload #den
               bob post #den ho
               unload #den
               alice read #den 2",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 bob posted message 1: broadcast
               bob repeats #den 3
               bob refused: slow mode: wait 5 s (5000 ms)
               4 bob posted message 2: broadcast
               alice has read 2");
    }

    fn what_was_made_before_is_found_again_after_it_left_memory() {
        check("alice open bob as=ab
               alice create #den cid=c1
               unload #ab
               unload #den
               bob open alice as=ba
               alice create #den cid=c1 in=#again
               unload #den
               alice create #lair cid=c1",
              "1 alice created: attach alice, attach bob, broadcast
               1 alice created: attach alice, broadcast
               bob repeats #ab 1
               alice repeats #den 1
               alice refused: this cid was used for another command");
    }

    fn an_old_message_can_still_be_reacted_to_edited_pinned_and_deleted() {
        check("limit posts_limited=false
               alice create #den
               bob join #den
               bob post #den old
               300x alice post #den new
               alice react #den 3 +1
               alice react #den 3 +1
               bob react #den 3 +1
               alice unreact #den 3 +1
               alice unreact #den 3 +1
               bob edit #den 3 older
               alice pin #den 3
               alice post #den thread=3 remember
               bob delete #den 3
               bob delete #den 3
               alice react #den 3 +1
               alice pin #den 3
               alice post #den thread=3 remember
               alice delete #den 2",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 bob posted message 1: broadcast
               303 alice posted message 301: broadcast
               304 alice reacted +1 to 3: broadcast
               alice repeats #den 304
               305 bob reacted +1 to 3: broadcast
               306 alice took +1 from 3: broadcast
               alice repeats #den 306
               307 bob edited 3: broadcast
               308 alice pinned 3: broadcast
               309 alice posted message 302: broadcast
               310 bob deleted 3: broadcast
               bob repeats #den 310
               alice refused: the message was deleted
               alice refused: the message was deleted
               alice refused: the message was deleted
               alice refused: no such message");
    }

    fn an_old_cid_is_known_to_the_store() {
        check("limit posts_limited=false
               alice create #den cid=c0
               alice post #den hi cid=c1
               256x alice post #den hi cid=c2
               alice post #den more cid=c3
               alice post #den hi cid=c1
               300x alice react #den 2 +1
               300x alice post #den hi
               alice post #den hi cid=c1
               alice post #den ho cid=c1
               alice post #den hi cid=c0
               wait 25h
               alice post #den last cid=c4
               alice post #den hi cid=c1",
              "1 alice created: attach alice, broadcast
               2 alice posted message 1: broadcast
               alice repeats #den 3
               4 alice posted message 3: broadcast
               alice repeats #den 2
               alice repeats #den 5
               305 alice posted message 303: broadcast
               alice repeats #den 2
               alice refused: this cid was used for another command
               alice refused: this cid was used for another command
               306 alice posted message 304: broadcast
               alice repeats #den 2");
    }

    fn a_state_that_no_log_leads_to_is_told() {
        let den = left("alice create #den\nbob join #den", "#den");
        let direct = left("alice open bob as=bob", "#bob");
        let mut members = den.members.keys();
        let (_, bob) = (members.next(), members.next().unwrap().to_string());
        let bob = bob.as_str();
        let role = format!("/members/{bob}/role");
        let states = [
            (&den, "/owner", json!(u64::MAX >> 11), "a guest owns the room"),
            (&den, "/head_idx", json!(3), "more messages than records"),
            (&den, "/bans", json!({bob: null}), "somebody is both joined and banned"),
            (&den, "/invites", json!({bob: null}), "a member is still invited"),
            (&den, "/capacity", json!(1), "more members than places"),
            (&den, role.as_str(), json!("owner"), "a membership carries the owner's role"),
            (&direct, "/members", json!({}), "a direct room without two members"),
        ];
        for (room, place, value, words) in states {
            assert_eq!(room.broken_invariants(), Vec::<&str>::new());
            let mut state = serde_json::to_value(room).unwrap();
            *state.pointer_mut(place).expect("a field of a room") = value;
            let state: Room = serde_json::from_value(state).unwrap();
            assert_eq!(state.broken_invariants(), [words]);
        }
    }
}
