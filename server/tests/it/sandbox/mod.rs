//! The sandbox of agents: what a program inside can and cannot do.

mod cell;
mod escape;
mod limits;
mod provider;
mod reach;
mod repositories;
mod result;

use cell::Cell;
