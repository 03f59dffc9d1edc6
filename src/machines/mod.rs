//! A fit on several machines, whose results are bit-identical to those of one machine.
//!
//! ```text
//! communicator  the host's functions that exchange bytes between the ranks, and what is known of them
//! ranks         the exchanges that the library needs: numbers and bytes of each rank, in the order of the ranks
//! relay         passes the exchanges of a step, which runs on the model's threads, to the thread that called fit
//! share         which part of a layer's work a rank computes: all of it, some samples, or some parts of its weights
//! sparse        arrays that are mostly 0, in fewer bytes
//! ```
//!
//! Every rank has the same weights, the same order of samples and the same batch. A sum over the samples of a batch is always
//! computed in fixed groups of samples ([`group`](crate::layers::parallel::group)), on one machine too. With several ranks each
//! computes the sums of its own groups, receives the other groups' sums, and adds all of them in the same order.

mod communicator;
mod ranks;
mod relay;
mod share;
mod sparse;

pub use communicator::{Communicator, Machines};
pub use ranks::{Ranks, SyncRanks};
pub use share::{Grouped, Share, Split};
