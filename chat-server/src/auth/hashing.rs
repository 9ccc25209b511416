//! Passwords become hashes on a few threads of their own, so that no worker ever waits for one.

mod elsewhere;
mod error;
mod lines;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::{io, thread};

use argon2::password_hash::phc::{Ident, Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use chat_core::Password;
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

pub use self::error::HashError;
pub(crate) use self::lines::Line;
use self::lines::{Full, Lines};

/// A pool of threads that hash and compare passwords: argon2id, as PHC strings.
///
/// Hashes that another server made with bcrypt (`$2a$`, `$2b$`, `$2y$`) are compared too, and are
/// to be [made again](Hasher::is_to_be_made_again) by whoever keeps them.
///
/// Each thread keeps one block of memory and uses it again, so the pool's memory is the number of
/// threads times the cost, whatever the load. Passwords wait in three queues, which the threads serve
/// in turn: of those who log in from where they were right before, of all others who log in, and of
/// whoever else has one hashed. So a flood of the one kind keeps nobody of another out. What doesn't
/// fit into its queue is refused at once.
/// The threads end when the pool is dropped.
pub struct Hasher {
    jobs: Arc<Lines<Job>>,
    done: Arc<AtomicU64>,
    cost: HashingCost,
    /// Whether nothing else happens until a hash is there.
    #[cfg(feature = "simulation")]
    in_step: bool,
}

/// How much work one hash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashingCost {
    /// Memory in KiB, at least 8.
    pub memory_kib: u32,
    /// Passes over the memory, at least 1.
    pub passes: u32,
}

impl Default for HashingCost {
    /// 19 MiB and two passes, the least that the OWASP password storage cheat sheet asks for.
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
        }
    }
}

impl Hasher {
    /// Starts threads which hash at this cost, and queues of this length before them.
    ///
    /// # Errors
    ///
    /// If a thread can't be started, or the cost is none.
    #[expect(
        clippy::disallowed_methods,
        reason = "a hash keeps a core busy for long"
    )]
    pub fn start(threads: usize, queue_max: usize, cost: HashingCost) -> io::Result<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
        let jobs = Arc::new(Lines::new(queue_max.max(1)));
        let done = Arc::new(AtomicU64::new(0));
        let bcrypt_cost = Arc::new(AtomicU32::new(0));
        for number in 0..threads.max(1) {
            let thread = HashingThread {
                jobs: Arc::clone(&jobs),
                done: Arc::clone(&done),
                params: params.clone(),
                memory: Vec::new(),
                bcrypt_cost: Arc::clone(&bcrypt_cost),
            };
            thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || thread.run())?;
        }
        Ok(Self {
            jobs,
            done,
            cost,
            #[cfg(feature = "simulation")]
            in_step: false,
        })
    }

    /// The same, with whoever asks keeping his thread until there is an answer: what happened
    /// meanwhile would have no order that could be repeated.
    #[cfg(feature = "simulation")]
    pub(crate) const fn in_step(mut self) -> Self {
        self.in_step = true;
        self
    }

    /// Hashes a password with a salt of its own.
    ///
    /// # Errors
    ///
    /// If the password is empty or over [`Password::BYTES_MAX`] bytes, or the queue is full.
    pub async fn hash(&self, password: &Password) -> Result<String, HashError> {
        self.hash_in(Line::Others, password).await
    }

    /// The same, in a queue of somebody's own.
    pub(crate) async fn hash_in(
        &self,
        line: Line,
        password: &Password,
    ) -> Result<String, HashError> {
        match self.ask(line, password, Work::Hash).await? {
            Done::Hash(hash) => Ok(hash),
            Done::Fits(_) => Err(HashError::Failed),
        }
    }

    /// Whether a password fits a hash, in a time that doesn't depend on where they differ.
    ///
    /// # Errors
    ///
    /// If the password is empty or too long, the queue is full, or the hash can't be read.
    pub async fn verify(&self, password: &Password, hash: &str) -> Result<bool, HashError> {
        self.verify_in(Line::Others, password, hash).await
    }

    /// The same, in a queue of somebody's own.
    pub(crate) async fn verify_in(
        &self,
        line: Line,
        password: &Password,
        hash: &str,
    ) -> Result<bool, HashError> {
        match self.ask(line, password, Work::Verify(hash.into())).await? {
            Done::Fits(fits) => Ok(fits),
            Done::Hash(_) => Err(HashError::Failed),
        }
    }

    /// Does the work of comparing where there is nothing to compare with, so that the time doesn't
    /// tell whether an account exists. The answer is always no.
    ///
    /// # Errors
    ///
    /// As [`Hasher::verify`].
    pub async fn verify_nobody(&self, password: &Password) -> Result<bool, HashError> {
        self.verify_nobody_in(Line::Others, password).await
    }

    /// The same, in a queue of somebody's own.
    pub(crate) async fn verify_nobody_in(
        &self,
        line: Line,
        password: &Password,
    ) -> Result<bool, HashError> {
        match self.ask(line, password, Work::Nobody).await? {
            Done::Fits(_) | Done::Hash(_) => Ok(false),
        }
    }

    /// Whether passwords can be compared with this hash: one of argon2id or bcrypt, at a cost that
    /// doesn't stop the pool.
    #[must_use]
    pub fn can_read(hash: &str) -> bool {
        if elsewhere::is_bcrypt(hash) {
            elsewhere::cost(hash).is_ok()
        } else {
            PasswordHash::new(hash).is_ok_and(|parsed| Argon::read(&parsed).is_ok())
        }
    }

    /// Whether a hash should give way to one of this pool as soon as the password is known. One of
    /// bcrypt should, unless the password is longer than bcrypt reads: nobody knows whether the rest
    /// of it is right.
    #[must_use]
    pub fn is_to_be_made_again(hash: &str, password: &Password) -> bool {
        elsewhere::is_bcrypt(hash) && password.expose().len() <= elsewhere::BYTES_READ
    }

    /// How many passwords were hashed or compared so far.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    async fn ask(&self, line: Line, password: &Password, work: Work) -> Result<Done, HashError> {
        let bytes = password.expose().len();
        if bytes == 0 {
            return Err(HashError::Empty);
        }
        if bytes > Password::BYTES_MAX {
            return Err(HashError::TooLong {
                bytes_max: Password::BYTES_MAX,
            });
        }
        let (answer, mut reply) = oneshot::channel();
        let job = Job {
            password: password.clone(),
            work,
            answer,
        };
        self.jobs.offer(line, job).map_err(|Full| HashError::Busy)?;
        #[cfg(feature = "simulation")]
        if self.in_step {
            loop {
                match reply.try_recv() {
                    Err(oneshot::error::TryRecvError::Empty) => thread::yield_now(),
                    answer => return answer.map_err(|_| HashError::Stopped)?,
                }
            }
        }
        (&mut reply).await.map_err(|_| HashError::Stopped)?
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.jobs.close();
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("cost", &self.cost)
            .field("done", &self.done())
            .finish_non_exhaustive()
    }
}

struct Job {
    password: Password,
    work: Work,
    answer: oneshot::Sender<Result<Done, HashError>>,
}

enum Work {
    Hash,
    Verify(Box<str>),
    Nobody,
}

enum Done {
    Hash(String),
    Fits(bool),
}

struct HashingThread {
    jobs: Arc<Lines<Job>>,
    done: Arc<AtomicU64>,
    params: Params,
    memory: Vec<Block>,
    /// The highest cost of bcrypt that any thread has met; 0 where there was none.
    bcrypt_cost: Arc<AtomicU32>,
}

impl HashingThread {
    fn run(mut self) {
        while let Some(job) = self.jobs.next() {
            // Whoever asked has gone away: the work would be for nobody.
            if job.answer.is_closed() {
                continue;
            }
            let outcome = self.work(&job);
            self.done.fetch_add(1, Ordering::Relaxed);
            // If the asker left meanwhile, nobody misses the answer.
            drop(job.answer.send(outcome));
        }
    }

    fn work(&mut self, job: &Job) -> Result<Done, HashError> {
        match &job.work {
            Work::Hash => self.hash(&job.password).map(Done::Hash),
            Work::Verify(hash) if elsewhere::is_bcrypt(hash) => {
                let cost = elsewhere::cost(hash)?;
                self.bcrypt_cost.fetch_max(cost, Ordering::Relaxed);
                let fits = elsewhere::verify(&job.password, hash)?;
                if !fits {
                    self.derive_nothing(&job.password)?;
                }
                Ok(Done::Fits(fits))
            }
            Work::Verify(hash) => {
                let fits = self.verify(&job.password, hash)?;
                if !fits {
                    self.bcrypt_nothing(&job.password);
                }
                Ok(Done::Fits(fits))
            }
            Work::Nobody => {
                self.derive_nothing(&job.password)?;
                self.bcrypt_nothing(&job.password);
                Ok(Done::Fits(false))
            }
        }
    }

    /// One half of the work of every refusal: as long as a hash of ours takes. Where hashes of two
    /// kinds are kept, whoever is refused has waited for both, or the time would tell which kind
    /// an account has, and so that there is one.
    fn derive_nothing(&mut self, password: &Password) -> Result<(), HashError> {
        let mut out = [0; OUTPUT_BYTES];
        let params = self.params.clone();
        self.derive(params, password, &[0; SALT_BYTES], &mut out)
    }

    /// The other half, once a hash of bcrypt has been met.
    fn bcrypt_nothing(&self, password: &Password) {
        let cost = self.bcrypt_cost.load(Ordering::Relaxed);
        if cost > 0 {
            elsewhere::spend(password, cost);
        }
    }

    fn hash(&mut self, password: &Password) -> Result<String, HashError> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| HashError::Failed)?;
        let mut out = [0; OUTPUT_BYTES];
        let params = self.params.clone();
        let spelled = ParamsString::try_from(&params).map_err(|_| HashError::Failed)?;
        self.derive(params, password, &salt, &mut out)?;
        let hash = PasswordHash {
            algorithm: Ident::new(ALGORITHM).map_err(|_| HashError::Failed)?,
            version: Some(Version::V0x13.into()),
            params: spelled,
            salt: Some(Salt::new(&salt).map_err(|_| HashError::Failed)?),
            hash: Some(Output::new(&out).map_err(|_| HashError::Failed)?),
        };
        Ok(hash.to_string())
    }

    fn verify(&mut self, password: &Password, hash: &str) -> Result<bool, HashError> {
        let parsed = PasswordHash::new(hash).map_err(|_| HashError::Unreadable)?;
        let argon = Argon::read(&parsed)?;
        let mut out = vec![0; argon.expected.as_bytes().len()];
        self.derive(argon.params, password, argon.salt.as_ref(), &mut out)?;
        Ok(argon.expected.as_bytes().ct_eq(&out).into())
    }

    fn derive(
        &mut self,
        params: Params,
        password: &Password,
        salt: &[u8],
        out: &mut [u8],
    ) -> Result<(), HashError> {
        let blocks = params.block_count();
        if self.memory.len() < blocks {
            self.memory.resize(blocks, Block::default());
        }
        let bytes = password.expose().as_bytes();
        #[cfg(sabotage)]
        let bytes = match chat_core::sabotage::planted("password_cut") {
            true => bytes.get(..72).unwrap_or(bytes),
            false => bytes,
        };
        let outcome = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(bytes, salt, out, self.memory.as_mut_slice())
            .map_err(|_| HashError::Failed);
        // A hash from elsewhere may cost more than ours; its memory isn't kept.
        self.memory.truncate(self.params.block_count());
        self.memory.shrink_to_fit();
        outcome
    }
}

/// What there is to compare with in a hash of argon2id.
struct Argon<'a> {
    params: Params,
    salt: &'a Salt,
    expected: &'a Output,
}

impl<'a> Argon<'a> {
    fn read(parsed: &'a PasswordHash) -> Result<Self, HashError> {
        let (Some(salt), Some(expected)) = (&parsed.salt, &parsed.hash) else {
            return Err(HashError::Unreadable);
        };
        let is_ours =
            parsed.algorithm.as_str() == ALGORITHM && parsed.version == Some(Version::V0x13.into());
        let params = Params::try_from(parsed).map_err(|_| HashError::Unreadable)?;
        if !is_ours || params.m_cost() > MEMORY_KIB_MAX || params.t_cost() > PASSES_MAX {
            return Err(HashError::Unreadable);
        }
        Ok(Self {
            params,
            salt,
            expected,
        })
    }
}

const ALGORITHM: &str = "argon2id";
const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;
/// The most that a stored hash may cost, lest one from elsewhere stops the pool.
const MEMORY_KIB_MAX: u32 = 256 * 1024;
const PASSES_MAX: u32 = 16;

#[cfg(test)]
mod tests;
