//! A grid of dots in which one character holds several. Plots for a terminal draw with it. Pure.

/// Columns and rows of dots in a Braille pattern.
pub(super) const BRAILLE: (usize, usize) = (2, 4);
/// One dot is the whole character.
pub(super) const WHOLE: (usize, usize) = (1, 1);

/// Bits of a Braille pattern, U+2800 + bits, by dot row and dot column.
const BITS: [[u8; BRAILLE.0]; BRAILLE.1] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// The dots that are set.
pub(super) struct Dots {
    across: usize,
    down: usize,
    /// By row and column of characters.
    bits: Vec<Vec<u8>>,
}

impl Dots {
    /// None set on `width` × `height` characters, each of `across` × `down` dots: [`BRAILLE`] or [`WHOLE`].
    pub fn new((width, height): (usize, usize), (across, down): (usize, usize)) -> Self {
        Self { across, down, bits: vec![vec![0; width]; height] }
    }

    /// Sets the dot in dot column `x` and dot row `y`, counted from the upper left.
    pub fn set(&mut self, x: usize, y: usize) {
        self.bits[y / self.down][x / self.across] |= BITS[y % self.down][x % self.across];
    }

    /// The dots in a character; 0: none is set.
    pub fn bits(&self, row: usize, column: usize) -> u8 {
        self.bits[row][column]
    }
}

/// The character that shows these dots; `None` where none is set.
pub(super) fn pattern(bits: u8) -> Option<char> {
    (bits > 0).then(|| char::from_u32(0x2800 + u32::from(bits))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_become_the_patterns_of_unicode() {
        let mut dots = Dots::new((2, 1), BRAILLE);
        for (x, y) in [(0, 0), (1, 3), (1, 3)] {
            dots.set(x, y);
        }
        assert_eq!(pattern(dots.bits(0, 0)), Some('⢁'));
        assert_eq!(pattern(dots.bits(0, 1)), None);
        let mut whole = Dots::new((3, 2), WHOLE);
        whole.set(2, 1);
        assert_eq!((whole.bits(1, 2) > 0, whole.bits(0, 2) > 0), (true, false));
    }
}
