//! What work touches, and the risk that each such thing brings.

use crate::document::Risk;
use crate::status::Level;

use super::words::Text;

/// Something that work may touch.
pub struct Surface {
    pub name: &'static str,
    words: &'static [&'static str],
    risk: &'static str,
    probability: Level,
    impact: Level,
    mitigation: &'static str,
}

/// Work on words and names touches nothing of what the words are about.
const ON_THE_SURFACE: &[&str] = &["typo", "wording", "spelling", "rename", "comment", "readme"];

const SURFACES: &[Surface] = &[
    Surface {
        name: "data",
        words: &["migrate", "migration", "schema", "data model", "backfill", "import", "etl"],
        risk: "Data is lost or damaged while it is moved or reshaped",
        probability: Level::Medium,
        impact: Level::High,
        mitigation: "Back up first, rehearse on a copy, compare counts and checksums, keep a way back",
    },
    Surface {
        name: "payments",
        words: &[
            "payment",
            "billing",
            "checkout",
            "invoice",
            "subscription",
            "refund",
            "stripe",
            "paypal",
        ],
        risk: "A mistake charges somebody wrongly",
        probability: Level::Medium,
        impact: Level::High,
        mitigation: "Make every charge repeatable without harm, test against the sandbox, reconcile daily",
    },
    Surface {
        name: "authentication",
        words: &[
            "auth",
            "authentication",
            "authorization",
            "login",
            "logout",
            "password",
            "oauth",
            "sso",
            "session",
            "permission",
            "role",
            "sign in",
            "signin",
            "signup",
            "sign up",
            "jwt",
            "2fa",
            "mfa",
            "passkey",
            "token",
        ],
        risk: "A flaw lets somebody act as somebody else",
        probability: Level::Medium,
        impact: Level::High,
        mitigation: "Use a proven library, have the design and the code reviewed for security",
    },
    Surface {
        name: "personal data",
        words: &[
            "personal data",
            "gdpr",
            "privacy",
            "dsgvo",
            "pii",
            "patient",
            "medical",
            "consent",
        ],
        risk: "Personal data is kept or shown where it may not be",
        probability: Level::Medium,
        impact: Level::High,
        mitigation: "Write down what is kept, why and for how long; have it checked before release",
    },
    Surface {
        name: "security",
        words: &[
            "security",
            "encryption",
            "encrypt",
            "vulnerability",
            "secret",
            "certificate",
            "tls",
        ],
        risk: "A weakness is found only after release",
        probability: Level::Medium,
        impact: Level::High,
        mitigation: "Name the attacks that matter, review against them, scan in CI",
    },
    Surface {
        name: "infrastructure",
        words: &[
            "infrastructure",
            "deploy",
            "deployment",
            "kubernetes",
            "terraform",
            "ansible",
            "docker",
            "cluster",
            "server",
            "cloud",
            "aws",
            "azure",
            "gcp",
            "dns",
            "production",
        ],
        risk: "A change takes running systems down",
        probability: Level::Medium,
        impact: Level::High,
        mitigation: "Try it in a copy of production, roll out in steps, keep the way back tested",
    },
    Surface {
        name: "third parties",
        words: &[
            "integration",
            "integrate",
            "third party",
            "webhook",
            "external",
            "vendor",
            "stripe",
            "paypal",
            "slack",
            "github",
            "gitlab",
            "google",
            "salesforce",
            "twilio",
            "oauth",
            "sso",
            "connector",
        ],
        risk: "A service of others changes, limits calls or is down",
        probability: Level::Medium,
        impact: Level::Medium,
        mitigation: "Keep it behind one interface, test its failures, know its limits before building",
    },
    Surface {
        name: "performance",
        words: &[
            "performance",
            "fast",
            "faster",
            "slow",
            "latency",
            "throughput",
            "scale",
            "scaling",
            "scalability",
            "load",
            "cache",
            "caching",
            "real time",
            "realtime",
            "speed",
            "memory",
        ],
        risk: "The target for speed or size is not reached with this design",
        probability: Level::Medium,
        impact: Level::Medium,
        mitigation: "Agree on a figure, measure before and after, try the riskiest part first",
    },
    Surface {
        name: "database",
        words: &["database", "db", "sql", "sqlite", "postgres", "postgresql", "mysql", "mongodb"],
        risk: "Queries that are fine today are slow with real amounts of data",
        probability: Level::Medium,
        impact: Level::Medium,
        mitigation: "Test with as much data as a year will bring, look at the query plans",
    },
    Surface {
        name: "public interface",
        words: &["api", "endpoint", "rest", "graphql", "grpc", "sdk", "protocol", "public"],
        risk: "What callers rely on has to change after they rely on it",
        probability: Level::Medium,
        impact: Level::Medium,
        mitigation: "Agree on the interface with a caller before building, version it from the start",
    },
    Surface {
        name: "user interface",
        words: &[
            "ui",
            "ux",
            "frontend",
            "dashboard",
            "page",
            "form",
            "screen",
            "mobile",
            "app",
            "design system",
            "css",
            "responsive",
            "accessibility",
        ],
        risk: "People do not find or understand what was built",
        probability: Level::Low,
        impact: Level::Medium,
        mitigation: "Show a sketch to a user before building, and the first version soon after",
    },
    Surface {
        name: "a deadline",
        words: &["deadline", "asap", "urgent", "launch date", "go live", "black friday"],
        risk: "The date is fixed and the work is not done by then",
        probability: Level::Medium,
        impact: Level::High,
        mitigation: "Agree now on what is left out first, and look at the forecast every week",
    },
];

/// What a text touches, in the order of this list.
pub fn touched(title: &Text, description: &Text) -> Vec<&'static Surface> {
    if ON_THE_SURFACE.iter().any(|word| title.has(word)) {
        return Vec::new();
    }
    let speaks = |word: &&&str| title.has(word) || description.has(word);
    let found = SURFACES.iter().filter(|surface| surface.words.iter().any(|w| speaks(&w)));
    found.collect()
}

/// The risk that a surface brings.
pub fn risk(name: &str) -> Option<Risk> {
    let surface = SURFACES.iter().find(|surface| surface.name == name)?;
    Some(Risk {
        text: surface.risk.to_owned(),
        probability: Some(surface.probability),
        impact: Some(surface.impact),
        mitigation: Some(surface.mitigation.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_surface_has_a_name_of_its_own_and_says_what_to_do() {
        let names: BTreeSet<&str> = SURFACES.iter().map(|surface| surface.name).collect();
        assert_eq!(names.len(), SURFACES.len());
        for surface in SURFACES {
            let words: BTreeSet<&&str> = surface.words.iter().collect();
            assert_eq!(words.len(), surface.words.len(), "{}", surface.name);
            assert!(!surface.mitigation.is_empty() && !surface.risk.is_empty());
        }
    }

    #[test]
    fn correcting_words_touches_nothing() {
        let touched = |title: &str| touched(&Text::new(title), &Text::new("")).len();
        assert_eq!(touched("Fix typo in the payment page"), 0);
        assert_eq!(touched("Rename the database server"), 0);
        assert!(touched("Payment page") > 1);
    }
}
