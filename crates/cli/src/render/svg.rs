//! Charts as SVG: one file that stands by itself, with nothing in it that runs or is fetched, in
//! light or dark as whoever looks at it prefers.

mod burn_down;
mod gantt;
mod graph;

use std::fmt::{Display, Write as _};

use milestone_domain::views::chart::Stage;

use super::glyphs::Glyphs;
use super::page::clean;
use super::table::cut;

pub use burn_down::burn_down;
pub use gantt::gantt;
pub use graph::graph;

/// Points around every picture.
const EDGE: i64 = 24;

/// Points from the top of a text to the line it stands on, the largest letters included.
const LINE: i64 = 20;

/// Points that a character takes on average in a text of the usual size; wide ones take two.
const CHARACTER: i64 = 7;

/// The colours, first in light and then in dark: what they are for, and their class.
const COLOURS: [(&str, &str, &str); 19] = [
    (".bg{fill:", "#ffffff", "#0d1117"),
    (".ink{fill:", "#1f2328", "#e6edf3"),
    (".soft{fill:", "#59636e", "#9198a1"),
    (".band{fill:", "#f6f8fa", "#151b23"),
    (".grid{stroke:", "#e5e9ee", "#262c36"),
    (".axis{stroke:", "#b6bec8", "#4a525d"),
    (".today{stroke:", "#8250df", "#ab7df8"),
    (".today-ink{fill:", "#8250df", "#ab7df8"),
    (".todo{fill:", "#c8d1da", "#3d444d"),
    (".doing{fill:", "#0969da", "#4493f8"),
    (".done{fill:", "#1a7f37", "#3fb950"),
    (".stopped{fill:", "#bc4c00", "#f0883e"),
    (".late{fill:", "#cf222e", "#f85149"),
    (".critical{stroke:", "#bf8700", "#d29922"),
    (".critical-ink{fill:", "#9a6700", "#d29922"),
    (".line{stroke:", "#0969da", "#4493f8"),
    (".area{fill:", "#0969da", "#4493f8"),
    (".link{stroke:", "#8c959f", "#656c76"),
    (".link-ink{fill:", "#8c959f", "#656c76"),
];

/// A picture that is being drawn.
struct Svg {
    text: String,
}

/// Where a text stands on its line.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// A picture of this size; its title and what it shows are for those who cannot see it.
    fn new(width: i64, height: i64, title: &str, description: &str) -> Self {
        let mut this = Self { text: String::new() };
        let (title, description) = (escaped(title), escaped(description));
        this.add(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"title desc\">"
        ));
        this.add(format_args!("<title id=\"title\">{title}</title>"));
        this.add(format_args!("<desc id=\"desc\">{description}</desc>"));
        this.add(format_args!("<style>\n{}</style>", styles()));
        this.rect((0, 0), (width, height), 10, "bg", None);
        this
    }

    fn finish(mut self) -> String {
        self.add("</svg>");
        self.text
    }

    fn add(&mut self, line: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    /// A text in the picture's own words, or one that was escaped.
    fn text(&mut self, at: (i64, i64), anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (x, y) = at;
        let text = escaped(text);
        self.add(format_args!("<text x=\"{x}\" y=\"{y}\" class=\"{class}\"{anchor}>{text}</text>"));
    }

    /// A text cut to so many points: by what letters take on average, and by force where they are
    /// wider. All of it is shown to who points at it.
    fn cut_text(&mut self, (x, y): (i64, i64), room: i64, class: &str, text: &str) {
        let shown = cut(Glyphs::Unicode, &clean(text), columns(room));
        let (shown, all) = (escaped(&shown), escaped(text));
        let title = if shown == all { String::new() } else { format!("<title>{all}</title>") };
        self.add(format_args!(
            "<svg x=\"{x}\" y=\"{}\" width=\"{room}\" height=\"{}\">\
             <text y=\"{LINE}\" class=\"{class}\">{shown}{title}</text></svg>",
            y - LINE,
            LINE * 3 / 2
        ));
    }

    fn rect(
        &mut self,
        (x, y): (i64, i64),
        (width, height): (i64, i64),
        round: i64,
        class: &str,
        title: Option<&str>,
    ) {
        let end = match title {
            Some(title) => format!("><title>{}</title></rect>", escaped(title)),
            None => "/>".to_owned(),
        };
        self.add(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{round}\" \
             class=\"{class}\"{end}"
        ));
    }

    fn line(&mut self, (x1, y1): (i64, i64), (x2, y2): (i64, i64), class: &str) {
        self.add(format_args!(
            "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" class=\"{class}\"/>"
        ));
    }

    fn path(&mut self, data: &str, class: &str) {
        self.add(format_args!("<path d=\"{data}\" class=\"{class}\"/>"));
    }

    fn circle(&mut self, (x, y): (i64, i64), radius: i64, class: &str) {
        self.add(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" class=\"{class}\"/>"));
    }

    fn diamond(&mut self, (x, y): (i64, i64), size: i64, class: &str) {
        let data = format!("M{x} {}l{size} {size}l-{size} {size}l-{size} -{size}z", y - size);
        self.path(&data, class);
    }

    /// The tip of an arrow that comes from the left.
    fn arrow_head(&mut self, (x, y): (i64, i64), class: &str) {
        self.path(&format!("M{x} {y}l-7 -4v8z"), class);
    }

    /// What a picture shows, and in smaller letters what there is to say about it.
    fn heading(&mut self, room: i64, title: &str, said: &str) {
        self.cut_text((EDGE, EDGE + 16), room, "ink head", title);
        self.cut_text((EDGE, EDGE + 38), room, "soft", said);
    }

    /// What colours and signs mean: each is drawn by its function, in a box of 14 points.
    fn legend(&mut self, y: i64, signs: &[(Sign, &str)]) {
        let mut x = EDGE;
        for (sign, meaning) in signs {
            self.sign(*sign, x, y);
            self.text((x + 20, y), Anchor::Start, "soft", meaning);
            x += 20 + int(meaning.chars().count()) * CHARACTER + 18;
        }
    }

    fn sign(&mut self, sign: Sign, x: i64, y: i64) {
        match sign {
            Sign::Box(class) => self.rect((x, y - 10), (14, 10), 3, class, None),
            Sign::Line(class) => self.line((x, y - 5), (x + 14, y - 5), class),
            Sign::Dot(stage) => self.dot(x + 7, y - 5, stage),
            Sign::Diamond(class) => self.diamond((x + 7, y - 5), 6, class),
        }
    }

    /// A state as a sign: by its form too, and not by its colour alone.
    fn dot(&mut self, x: i64, y: i64, stage: Stage) {
        match stage {
            Stage::ToDo | Stage::Cancelled => self.circle((x, y), 5, "ring axis"),
            Stage::Doing => {
                self.circle((x, y), 5, "ring line");
                self.path(&format!("M{x} {}a5 5 0 0 1 0 10z", y - 5), "doing");
            }
            Stage::Stopped => {
                self.circle((x, y), 6, "stopped");
                self.path(&format!("M{} {}l6 6m0 -6l-6 6", x - 3, y - 3), "cross");
            }
            Stage::Done => {
                self.circle((x, y), 6, "done");
                self.path(&format!("M{} {y}l2 3l4 -5", x - 3), "cross");
            }
        }
    }
}

/// A sign of a legend.
#[derive(Clone, Copy)]
enum Sign {
    Box(&'static str),
    Line(&'static str),
    Dot(Stage),
    Diamond(&'static str),
}

fn styles() -> String {
    let mut text = "\
text{font:13px system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif}
.head{font-size:18px;font-weight:600}.bold{font-weight:600}.small{font-size:11px}
.grid,.axis,.today,.line,.link,.critical,.pace,.scope{fill:none}
.ring{fill:none;stroke-width:2}.line{stroke-width:2.5;stroke-linejoin:round}
.area{fill-opacity:.16}.link{stroke-width:1.5}.dashed{stroke-dasharray:5 4}
.critical{stroke-width:2}.today{stroke-width:1.5;stroke-dasharray:3 3}
.cross{fill:none;stroke:#fff;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}
.pale{fill-opacity:.35}.faint{opacity:.55}
"
    .to_owned();
    for (class, light, _) in COLOURS {
        let _ = writeln!(text, "{class}{light}}}");
    }
    text.push_str("@media (prefers-color-scheme:dark){\n");
    for (class, _, dark) in COLOURS {
        let _ = writeln!(text, "{class}{dark}}}");
    }
    text + "}\n"
}

/// A text that cannot be taken for markup, without what XML has no characters for.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in clean(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Columns of text that fit in so many points.
fn columns(points: i64) -> usize {
    usize::try_from(points / CHARACTER).unwrap_or(0)
}

/// Counts of what is drawn fit: a view bounds them.
fn int(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests;
