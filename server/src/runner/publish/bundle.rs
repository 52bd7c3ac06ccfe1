//! The file in which commits leave the sandbox: a header that says which, and a pack of their objects.

use std::{io, path::Path};

use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom},
};

/// The name of the last commit.
const RESULT: &str = "refs/millrace/result";
/// No header is longer: it names some commits and their subjects.
const LONGEST_HEADER: u64 = 1 << 20;

pub(super) struct Bundle {
    /// The last commit, as far as the header tells.
    pub head: String,
    /// What comes next in it is the pack.
    pub pack: std::fs::File,
}

impl Bundle {
    /// `None` where the file is no bundle.
    pub(super) async fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut file = File::open(path).await?;
        let mut beginning = Vec::new();
        (&mut file).take(LONGEST_HEADER).read_to_end(&mut beginning).await?;
        let Some((head, length)) = header(&beginning) else { return Ok(None) };
        file.seek(SeekFrom::Start(length)).await?;
        Ok(Some(Self { head, pack: file.into_std().await }))
    }
}

/// Which commit the header names, and how long it is. An empty line ends it.
fn header(beginning: &[u8]) -> Option<(String, u64)> {
    let length = memchr::memmem::find(beginning, b"\n\n")? + 2;
    let mut lines = beginning[..length].split(|byte| *byte == b'\n');
    if lines.next()? != b"# v2 git bundle" {
        return None;
    }
    let head = lines.find_map(|line| {
        let (id, name) = str::from_utf8(line).ok()?.split_once(' ')?;
        let is_id = matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_id && name == RESULT).then(|| id.to_owned())
    })?;
    Some((head, length as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_the_commit_and_ends_before_the_pack() {
        let (base, head) = ("1".repeat(40), "a".repeat(40));
        let text =
            format!("# v2 git bundle\n-{base} A refs/millrace/result\n{head} refs/millrace/result\n\n");
        let whole = [text.as_bytes(), b"PACK\n\n\xff"].concat();
        assert_eq!(header(&whole), Some((head, text.len() as u64)));
    }

    #[test]
    fn what_is_no_bundle_has_no_header() {
        let head = "a".repeat(40);
        for text in [
            String::new(),
            "# v2 git bundle\nnonsense\n".to_owned(),
            format!("# v3 git bundle\n{head} refs/millrace/result\n\n"),
            format!("# v2 git bundle\n{head} refs/heads/main\n\n"),
            format!("# v2 git bundle\n--upload-pack={} refs/millrace/result\n\n", "a".repeat(26)),
        ] {
            assert_eq!(header(text.as_bytes()), None, "{text}");
        }
    }
}
