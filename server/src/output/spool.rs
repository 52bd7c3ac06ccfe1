//! Chunks that wait on the runner's disk while Postgres is away.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::db::output::Chunk;

/// A file without a name, which goes with the process, however that ends. It is made when the first chunk comes.
#[derive(Debug)]
pub(super) struct Spool {
    directory: PathBuf,
    limit: u64,
    file: Option<File>,
    /// Where the next chunk goes.
    end: u64,
    waiting: VecDeque<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    first_seq: u64,
    last_seq: u64,
    offset: u64,
    length: usize,
}

impl Spool {
    pub(super) fn new(directory: &Path, limit: u64) -> Self {
        Self { directory: directory.to_owned(), limit, file: None, end: 0, waiting: VecDeque::new() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.end < self.limit
    }

    pub(super) fn push(&mut self, chunk: &Chunk) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.directory)?),
        };
        file.write_all_at(&chunk.lines, self.end)?;
        let Chunk { first_seq, last_seq, lines } = chunk;
        self.waiting.push_back(Place {
            first_seq: *first_seq,
            last_seq: *last_seq,
            offset: self.end,
            length: lines.len(),
        });
        self.end += lines.len() as u64;
        Ok(())
    }

    /// The chunk that has waited for longest.
    pub(super) fn pop(&mut self) -> io::Result<Option<Chunk>> {
        let (Some(file), Some(place)) = (&self.file, self.waiting.pop_front()) else { return Ok(None) };
        let mut lines = vec![0; place.length];
        file.read_exact_at(&mut lines, place.offset)?;
        if self.waiting.is_empty() {
            file.set_len(0)?;
            self.end = 0;
        }
        Ok(Some(Chunk { first_seq: place.first_seq, last_seq: place.last_seq, lines }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(first_seq: u64, bytes: usize) -> Chunk {
        Chunk { first_seq, last_seq: first_seq + 9, lines: vec![first_seq as u8; bytes] }
    }

    #[test]
    fn chunks_come_back_in_order_and_the_room_with_them() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(directory.path(), 150);
        assert!(spool.pop().unwrap().is_none());
        spool.push(&chunk(1, 100)).unwrap();
        assert!(spool.has_room());
        spool.push(&chunk(11, 100)).unwrap();
        assert!(!spool.has_room());

        for first in [1, 11] {
            let back = spool.pop().unwrap().unwrap();
            assert_eq!(
                (back.first_seq, back.last_seq, back.lines),
                (first, first + 9, vec![first as u8; 100])
            );
        }

        assert!(spool.has_room() && spool.pop().unwrap().is_none());
    }
}
