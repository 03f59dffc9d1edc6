//! Several machines that take the steps of one fit together, and come to the bits of one.
//!
//! ```text
//! communicator  what carries bytes between the ranks: the host's, MPI's, a test's
//! team          what the library asks of it: to have numbers of all ranks, in the ranks' order
//! served        a step runs on the model's threads; what it asks for is done on the thread that called fit
//! share         what of a batch is a layer's business here: all of it, some samples, some parts of its weights
//! zeros         numbers most of which are 0, made short
//! ```
//!
//! Every rank has the same weights, the same order of samples and the same batch. What a pass adds up over samples is added in
//! fixed groups of them ([`group`](crate::layers::parallel::group)), on one machine too; a rank computes the groups of its own
//! run of samples, gets the others' sums, and adds all of them in their order.

mod communicator;
mod served;
mod share;
mod team;
mod zeros;

pub use communicator::{Communicator, Machines};
pub use share::{Grouped, Run, Share};
pub use team::{Line, Team};
