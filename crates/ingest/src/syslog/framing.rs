//! Where messages end on a connection (RFC 6587): counted (`11 <13>message`) or by line ends, told by the first byte of
//! the connection.

/// Digits of a count at most: no message is longer than a gigabyte.
const DIGITS: usize = 9;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Unknown,
    Counted,
    Lines,
}

/// Cuts a stream of bytes into messages.
#[derive(Debug)]
pub struct Frames {
    method: Method,
    max: usize,
    buffer: Vec<u8>,
    /// How much of the buffer was given out.
    done: usize,
    /// Bytes of a counted message that are passed over, since it is too long.
    skip: usize,
    /// The rest of an overlong line is passed over.
    skip_line: bool,
    /// Messages cut because they were too long.
    pub overlong: usize,
}

/// The stream makes no sense any more: the count of a message is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

impl Frames {
    /// Messages longer than `max` bytes are cut there.
    pub fn new(max: usize) -> Self {
        Self {
            method: Method::Unknown,
            max: max.max(1),
            buffer: Vec::new(),
            done: 0,
            skip: 0,
            skip_line: false,
            overlong: 0,
        }
    }

    /// For streams that are known to be lines.
    pub fn of_lines(max: usize) -> Self {
        Self { method: Method::Lines, ..Self::new(max) }
    }

    /// Takes bytes from the connection.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.done);
        self.done = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, if there is one.
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, Lost> {
        if self.method == Method::Unknown {
            match self.buffer.get(self.done) {
                None => return Ok(None),
                Some(b'1'..=b'9') => self.method = Method::Counted,
                Some(_) => self.method = Method::Lines,
            }
        }
        let range = if self.method == Method::Counted { self.counted()? } else { self.line() };
        Ok(range.map(|(from, to)| &self.buffer[from..to]))
    }

    /// What is left when the connection ends: a last line without its end, or a counted message that was cut off.
    pub fn rest(&mut self) -> Option<&[u8]> {
        let from = std::mem::replace(&mut self.done, self.buffer.len());
        if self.skip > 0 || self.skip_line || from == self.buffer.len() {
            return None;
        }
        let rest = &self.buffer[from..];
        match self.method {
            Method::Counted => {
                let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
                rest.get(digits + 1..).filter(|message| !message.is_empty())
            }
            _ => Some(rest),
        }
    }

    fn counted(&mut self) -> Result<Option<(usize, usize)>, Lost> {
        if self.skip > 0 {
            let passed = self.skip.min(self.buffer.len() - self.done);
            self.skip -= passed;
            self.done += passed;
            if self.skip > 0 {
                return Ok(None);
            }
        }
        // Some senders end counted messages with a line end all the same.
        while matches!(self.buffer.get(self.done), Some(b'\n' | b'\r')) {
            self.done += 1;
        }
        let rest = &self.buffer[self.done..];
        let digits = rest.iter().take(DIGITS + 1).take_while(|b| b.is_ascii_digit()).count();
        match rest.get(digits) {
            None if digits <= DIGITS => return Ok(None),
            Some(b' ') if (1..=DIGITS).contains(&digits) => {}
            _ => return Err(Lost),
        }
        let length = rest[..digits].iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        let from = self.done + digits + 1;
        let wanted = length.min(self.max);
        if self.buffer.len() - from < wanted {
            return Ok(None);
        }
        self.done = from + wanted;
        self.skip = length - wanted;
        self.overlong += usize::from(self.skip > 0);
        Ok(Some((from, from + wanted)))
    }

    fn line(&mut self) -> Option<(usize, usize)> {
        loop {
            let rest = &self.buffer[self.done..];
            let end = rest.iter().position(|b| *b == b'\n');
            if self.skip_line {
                self.done += end.map_or(rest.len(), |end| end + 1);
                self.skip_line = end.is_none();
                if self.skip_line {
                    return None;
                }
                continue;
            }
            let from = self.done;
            return match end {
                Some(end) if end <= self.max => {
                    self.done += end + 1;
                    Some((from, from + end))
                }
                None if rest.len() <= self.max => None,
                _ => {
                    self.done += self.max;
                    self.skip_line = true;
                    self.overlong += 1;
                    Some((from, from + self.max))
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All messages, pushed in pieces of this size.
    fn cut(stream: &[u8], max: usize, piece: usize) -> Result<Vec<Vec<u8>>, Lost> {
        let mut frames = Frames::new(max);
        let mut out = Vec::new();
        for piece in stream.chunks(piece.max(1)) {
            frames.push(piece);
            while let Some(message) = frames.next_message()? {
                out.push(message.to_vec());
            }
        }
        out.extend(frames.rest().map(<[u8]>::to_vec));
        Ok(out)
    }

    fn texts(stream: &str, max: usize) -> Vec<String> {
        let cut = cut(stream.as_bytes(), max, 3).unwrap();
        cut.into_iter().map(|message| String::from_utf8(message).unwrap()).collect()
    }

    #[test]
    fn both_framings_are_told_apart() {
        assert_eq!(texts("<13>a\n<13>b\r\n\n<13>c", 100), ["<13>a", "<13>b\r", "", "<13>c"]);
        assert_eq!(texts("5 <13>a7 <13>b\nc6 <13>de", 100), ["<13>a", "<13>b\nc", "<13>de"]);
        assert_eq!(texts("5 <13>a\n5 <13>b\n", 100), ["<13>a", "<13>b"]);
    }

    #[test]
    fn long_messages_are_cut() {
        assert_eq!(texts("abcdefgh\nij\n", 4), ["abcd", "ij"]);
        assert_eq!(texts("8 abcdefgh2 ij", 4), ["abcd", "ij"]);
    }

    #[test]
    fn a_stream_without_counts_is_lost() {
        assert_eq!(cut(b"5 <13>ax <13>b", 100, 100), Err(Lost));
        assert_eq!(cut(b"99999999999 x", 100, 100), Err(Lost));
    }

    proptest! {
        #[test]
        fn messages_come_back_however_they_arrive(
            messages in proptest::collection::vec("<[0-9]{1,3}>[a-z \n]{0,30}", 1..10),
            piece in 1_usize..40,
        ) {
            let stream = messages.iter().fold(String::new(), |stream, m| stream + &m.len().to_string() + " " + m);
            let want: Vec<Vec<u8>> = messages.iter().map(|m| m.clone().into_bytes()).collect();
            prop_assert_eq!(cut(stream.as_bytes(), 100, piece), Ok(want));
        }

        #[test]
        fn any_bytes_are_cut(
            stream in proptest::collection::vec(any::<u8>(), 0..200), max in 1_usize..50, piece in 1_usize..50,
        ) {
            let whole = cut(&stream, max, 1000);
            if let Ok(messages) = &whole {
                prop_assert!(messages.iter().all(|m| m.len() <= max.max(200)));
            }
            prop_assert_eq!(cut(&stream, max, piece), whole);
        }
    }
}
