//! Who may touch what between two meetings of a team, as types.
//!
//! A claim is made by an `unsafe` constructor: its caller vouches that no claim of another worker, alive until the next
//! meeting, contradicts it. It borrows its worker, who can only meet the others when the claim is gone. Everything that
//! computes works with claims, and is safe.
//!
//! | claim | a worker may | contradicts |
//! |---|---|---|
//! | [`MyRows`] | read some rows of the batch, write to them or to some of their columns | any other claim on these rows, but on other columns |
//! | [`AllRows`] | read all rows of the batch | `MyRows` |
//! | [`MyGradient`] | read and write its share of the gradient | any other claim on that share |
//! | [`MyTensors`] | read and write its share of parameters, gradient and state | any other claim on that share |
//! | [`Parameters::read`] | read all parameters | writing to any of them |
//! | [`Parameters::all_mut`] | write all parameters, read their gradient | any other claim on either |

mod rows;
mod tensors;
mod vouched;

pub use rows::{AllRows, MyRows};
pub use tensors::{Gradient, MyGradient, MyTensors, Parameters, Share, ToUpdate};
