//! A row of figures in one line of text.

use crate::render::glyphs::Glyphs;

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', '.', ',', '-', '~', '=', '*', '#'];

/// One column a figure, the greatest the highest; what is nothing stands lowest, and anything
/// more than nothing above it.
pub fn spark(glyphs: Glyphs, values: &[u32]) -> String {
    let levels = glyphs.pick(LEVELS, ASCII);
    let most = values.iter().copied().max().unwrap_or(0);
    let level = |value: u32| match value {
        0 => 0,
        _ => (u64::from(value) * 7).div_ceil(u64::from(most)),
    };
    let column = |value: &u32| usize::try_from(level(*value)).ok().and_then(|at| levels.get(at));
    values.iter().filter_map(column).collect()
}

/// Of so many figures at most so many, evenly, the last among them: their places.
pub fn places(count: usize, room: usize) -> impl Iterator<Item = usize> {
    let shown = count.min(room);
    (1..=shown).map(move |place| (place * count).div_ceil(shown) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_is_the_highest_and_something_is_more_than_nothing() {
        let cases: [(&[u32], &str); 5] = [
            (&[], ""),
            (&[0, 0], "▁▁"),
            (&[7, 0, 1, 100], "▂▁▂█"),
            (&[1, 2, 3, 4, 5, 6, 7], "▂▃▄▅▆▇█"),
            (&[u32::MAX, 1], "█▂"),
        ];
        for (values, wanted) in cases {
            assert_eq!(spark(Glyphs::Unicode, values), wanted, "{values:?}");
        }
        assert_eq!(spark(Glyphs::Ascii, &[0, 1, 4, 8]), "_.~#");
    }

    #[test]
    fn thinning_keeps_the_last() {
        assert_eq!(places(5, 2).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(places(2, 9).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(places(0, 9).count(), 0);
    }
}
