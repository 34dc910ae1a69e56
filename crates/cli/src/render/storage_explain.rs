//! Why a project is kept where it is.

use milestone_domain::views::scale::{Bound, Figure, Scale};

use super::page::Page;
use super::style;
use super::table::{Table, cell};

pub fn explain(page: &mut Page, view: &Scale) {
    page.styled(style::HEAD, view.store);
    match view.moves_to {
        Some(to) => page.say("; it belongs into ").say(to),
        None => page.say("; it stays there"),
    };
    page.say(": ").say(&view.why).end();
    page.heading("Measured");
    figures(page, &view.figures);
    page.say("What is filed away does not count. After each change it is noted in ");
    page.say(view.note).end();
    page.heading("Asked for");
    asked(page, view);
    page.heading("What to do");
    for next in &view.next {
        page.say(next).end();
    }
}

fn figures(page: &mut Page, figures: &[Figure]) {
    let mut table = Table::new(&["NOW", "WHAT", "TOO MANY", "MOVES TO", "SETTING"]);
    for figure in figures {
        let (now, what) = (figure.now.to_string(), figure.what.as_str());
        if figure.bounds.is_empty() {
            table.row([now.as_str(), what, "", "", ""].map(|said| cell(style::PLAIN, said)).into());
        }
        for (number, bound) in figure.bounds.iter().enumerate() {
            let (now, what) = if number == 0 { (now.as_str(), what) } else { ("", "") };
            table.row(vec![
                cell(style::PLAIN, now),
                cell(style::PLAIN, what),
                cell(tone(bound), limit(bound)),
                cell(tone(bound), bound.moves_to),
                cell(style::DIM, bound.setting.unwrap_or("")),
            ]);
        }
    }
    table.print(page);
}

fn limit(bound: &Bound) -> String {
    match bound.or_more {
        true => format!("{} or more", bound.limit),
        false => format!("above {}", bound.limit),
    }
}

fn tone(bound: &Bound) -> anstyle::Style {
    if bound.passed { style::WARN } else { style::PLAIN }
}

fn asked(page: &mut Page, view: &Scale) {
    let asked = &view.asked;
    page.say("scale_override is ").say(asked.scale_override);
    page.say(" (").say(asked.from).say(")").end();
    match &view.postgres_url {
        Some(url) => page.say("PostgreSQL is at ").say(url),
        None => page.say("Nobody said where PostgreSQL is."),
    };
    page.end();
    match view.mirror {
        Some(true) => page.say("The documents are kept beside it, as files.").end(),
        Some(false) => page.say("No documents are kept beside it.").end(),
        None => page,
    };
}
