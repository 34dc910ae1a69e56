//! How far something is, as a bar.

use crate::render::glyphs::Glyphs;

/// Parts of a full column, an eighth each.
const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// So many columns, filled as far as the percentage says; full only at 100, and not empty above 0.
pub fn bar(glyphs: Glyphs, percent: u32, width: usize) -> String {
    let percent = usize::try_from(percent.min(100)).unwrap_or(100);
    let (fine, empty) = glyphs.pick((8, "░"), (1, "."));
    let mut filled = width * fine * percent / 100;
    if percent > 0 {
        filled = filled.max(1).min(width * fine);
    }
    let (full, part) = (filled / fine, filled % fine);
    let part = PARTS.get(part).copied().unwrap_or_default();
    let left = width - full - usize::from(!part.is_empty());
    format!("{}{part}{}", glyphs.pick("█", "#").repeat(full), empty.repeat(left))
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    #[test]
    fn a_bar_is_as_long_as_it_says() {
        for (percent, wanted) in [
            (0, "░░░░"),
            (1, "▏░░░"),
            (50, "██░░"),
            (55, "██▏░"),
            (99, "███▉"),
            (100, "████"),
            (900, "████"),
        ] {
            assert_eq!(bar(Glyphs::Unicode, percent, 4), wanted, "{percent}");
        }
        assert_eq!(bar(Glyphs::Ascii, 55, 4), "##..");
        for width in 0..12 {
            for percent in 0..=100 {
                assert_eq!(bar(Glyphs::Unicode, percent, width).width(), width);
            }
        }
    }
}
