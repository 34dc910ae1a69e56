//! Whatever titles say and however narrow a page is, no line of a chart is wider.

use milestone_domain::ids::MilestoneId;
use milestone_domain::views::chart::burn_down::BurnDown;
use milestone_domain::views::chart::gantt::gantt as gantt_view;
use milestone_domain::views::chart::graph::graph as graph_view;
use proptest::prelude::*;

use super::testing::{TODAY, burning, drawn, programme};
use super::*;

proptest! {
    #[test]
    fn no_line_is_wider_than_the_page(
        title in "\\PC{1,60}|[日本🚀👩\u{200d}💻é\u{fe0f}☎ ]{1,80}|\\p{Any}{1,40}",
        width in 40..220_usize,
        ascii: bool,
        work in 1..=u32::MAX,
    ) {
        let glyphs = if ascii { Glyphs::Ascii } else { Glyphs::Unicode };
        let mut snapshot = programme();
        for outline in snapshot.outlines.values_mut() {
            outline.title.clone_from(&title);
            outline.conditions.push(title.clone());
            outline.tasks.iter_mut().for_each(|task| task.title.clone_from(&title));
        }
        let one = Some(MilestoneId(2));
        let BurnDown::Known(mut burning) = burning() else { panic!() };
        burning.title = Some(title);
        burning.days[3].work = Effort::from_minutes(work);
        let text = drawn(width, glyphs, |page| {
            burn_down::burn_down(page, &BurnDown::Known(burning));
            gantt::gantt(page, &gantt_view(&snapshot, None, TODAY));
            gantt::gantt(page, &gantt_view(&snapshot, one, TODAY));
            graph::graph(page, &graph_view(&snapshot, None, TODAY));
            graph::graph(page, &graph_view(&snapshot, one, TODAY));
        });
        for line in text.lines() {
            prop_assert!(line.width() <= width, "{} > {width}: {line}", line.width());
        }
    }
}

#[test]
fn amounts_are_one_figure() {
    for (minutes, wanted) in [
        (0, "0h"),
        (30, "0.5h"),
        (60, "1h"),
        (479, "7.9h"),
        (480, "1d"),
        (720, "1.5d"),
        (4800, "10d"),
        (48_048, "100d"),
    ] {
        assert_eq!(amount(Effort::from_minutes(minutes)), wanted);
    }
}
