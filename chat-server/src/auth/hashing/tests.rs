//! What becomes of passwords in the pool.

use super::*;

const CHEAP: HashingCost = HashingCost {
    memory_kib: 8,
    passes: 1,
};

fn password(text: &str) -> Password {
    Password::new(text)
}

#[tokio::test]
async fn a_password_fits_its_hash_and_no_other_does() {
    let hasher = Hasher::start(1, 4, CHEAP).unwrap();
    let hash = hasher.hash(&password("sesame")).await.unwrap();
    assert!(hasher.verify(&password("sesame"), &hash).await.unwrap());
    assert!(!hasher.verify(&password("sesamo"), &hash).await.unwrap());
    assert_ne!(hash, hasher.hash(&password("sesame")).await.unwrap());
}

#[tokio::test]
async fn the_default_cost_is_what_is_promised() {
    let hasher = Hasher::start(1, 4, HashingCost::default()).unwrap();
    let hash = hasher.hash(&password("sesame")).await.unwrap();
    assert!(
        hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{hash}"
    );
    assert!(hasher.verify(&password("sesame"), &hash).await.unwrap());
}

#[tokio::test]
async fn passwords_count_whole_up_to_1024_bytes_and_longer_ones_are_not_hashed() {
    let hasher = Hasher::start(1, 4, CHEAP).unwrap();
    let longest = "x".repeat(1024);
    let almost = format!("{}y", "x".repeat(1023));
    let hash = hasher.hash(&password(&longest)).await.unwrap();
    assert!(hasher.verify(&password(&longest), &hash).await.unwrap());
    assert!(!hasher.verify(&password(&almost), &hash).await.unwrap());
    let done = hasher.done();
    assert_eq!(
        hasher.hash(&password(&"x".repeat(1025))).await,
        Err(HashError::TooLong { bytes_max: 1024 })
    );
    assert_eq!(hasher.hash(&password("")).await, Err(HashError::Empty));
    assert_eq!(hasher.done(), done);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let slow = HashingCost {
        memory_kib: 19 * 1024,
        passes: 4,
    };
    let hasher = Arc::new(Hasher::start(1, 1, slow).unwrap());
    let password = password("sesame");
    // All are asked before the first can be done; one is hashed, one waits.
    let (a, b, c, d) = tokio::join!(
        hasher.hash(&password),
        hasher.hash(&password),
        hasher.hash(&password),
        hasher.hash(&password),
    );
    let outcomes = [a, b, c, d];
    assert!(outcomes.iter().any(Result::is_ok));
    assert!(outcomes.contains(&Err(HashError::Busy)));
}

#[tokio::test]
async fn what_is_no_hash_is_an_error_and_not_a_no() {
    let hasher = Hasher::start(1, 4, CHEAP).unwrap();
    for hash in [
        "",
        "sesame",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$2b$31$abcdefghijklmnopqrstuuu5sUiKhFTHrNyhTOMBpSkcFk6d3X2n5.",
        "$2x$04$abcdefghijklmnopqrstuuu5sUiKhFTHrNyhTOMBpSkcFk6d3X2n5.",
        "$argon2d$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "$argon2id$v=19$m=4000000,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
    ] {
        assert_eq!(
            hasher.verify(&password("sesame"), hash).await,
            Err(HashError::Unreadable),
            "{hash}"
        );
        assert!(!Hasher::can_read(hash), "{hash}");
    }
}

#[tokio::test]
async fn hashes_of_other_servers_are_compared_and_are_to_be_made_again() {
    let hasher = Hasher::start(1, 4, CHEAP).unwrap();
    let (sesame, other) = (password("sesame"), password("sesamo"));
    let hash = ::bcrypt::hash("sesame", 4).unwrap();
    for prefix in ["$2a$", "$2b$", "$2y$"] {
        let hash = hash.replacen("$2b$", prefix, 1);
        assert!(Hasher::can_read(&hash));
        assert!(hasher.verify(&sesame, &hash).await.unwrap());
        assert!(!hasher.verify(&other, &hash).await.unwrap());
        assert!(Hasher::is_to_be_made_again(&hash, &sesame));
    }
    let ours = hasher.hash(&sesame).await.unwrap();
    assert!(Hasher::can_read(&ours));
    assert!(!Hasher::is_to_be_made_again(&ours, &sesame));
}

#[tokio::test]
async fn a_password_that_bcrypt_read_in_part_is_not_made_whole_by_guessing() {
    let hasher = Hasher::start(1, 4, CHEAP).unwrap();
    let long = password(&"x".repeat(80));
    let hash = ::bcrypt::hash(long.expose(), 4).unwrap();
    assert!(hasher.verify(&long, &hash).await.unwrap());
    assert!(!Hasher::is_to_be_made_again(&hash, &long));
}
