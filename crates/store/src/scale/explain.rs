//! What was looked at, as people are shown it.

use milestone_domain::views::scale::{Asked, Figure, Scale};

use super::{Detector, Looked, NOTE, SLOW_WAITS_MIN, Verdict, WINDOW};
use crate::pointer::StoreKind;

impl Looked {
    pub fn explain(&self, detector: &Detector<'_>) -> Scale {
        let grounds = &self.grounds;
        let moves_to = match self.decision.verdict {
            Verdict::Stay => None,
            Verdict::Move(to) => Some(to.word()),
        };
        let url = detector.config.value(crate::config::POSTGRES_URL).filter(|_| grounds.has_url);
        Scale {
            store: grounds.present.word(),
            moves_to,
            why: self.decision.why.clone(),
            lacks_url: self.decision.lacks_url.clone(),
            figures: self.figures(),
            asked: Asked { scale_override: grounds.wish.word(), from: self.wish_from.word() },
            postgres_url: url.and_then(|url| url.value.as_str().map(str::to_owned)),
            mirror: (grounds.present != StoreKind::Files)
                .then(|| detector.place.mirrors(grounds.present)),
            note: NOTE,
            next: self.next(),
        }
    }

    fn figures(&self) -> Vec<Figure> {
        let (measured, thresholds) = (&self.grounds.measured, &self.grounds.thresholds);
        let (sqlite, postgres) = (StoreKind::Sqlite.word(), StoreKind::Postgres.word());
        let mut writers = Figure::new("writers at once", measured.writers);
        let waited = format!(
            "waits over {} ms in {} minutes",
            thresholds.wait.as_millis(),
            WINDOW.as_secs() / 60
        );
        let mut waits = Figure::new(waited, measured.slow_waits);
        if self.grounds.present != StoreKind::Postgres {
            let above = self.grounds.present.above().word();
            writers = writers.from(thresholds.writers, above, Some("scale.writers"));
            waits = waits.from(SLOW_WAITS_MIN, above, None);
        }
        let (few, many) =
            (thresholds.sqlite_above_milestones, thresholds.postgres_above_milestones);
        let milestones = Figure::new("open milestones", measured.open_milestones)
            .above(few, sqlite, "scale.sqlite_above_milestones")
            .above(many, postgres, "scale.postgres_above_milestones");
        let tasks = Figure::new("open tasks", measured.open_tasks).above(
            thresholds.sqlite_above_tasks,
            sqlite,
            "scale.sqlite_above_tasks",
        );
        vec![milestones, tasks, writers, waits]
    }

    fn next(&self) -> Vec<String> {
        let mut next = Vec::new();
        let chosen = self.grounds.wish.store(self.grounds.has_url).is_some();
        if let Verdict::Move(to) = self.decision.verdict {
            next.push(format!("move it: `milestone storage migrate {to}`"));
            if !chosen {
                let stay = self.grounds.present;
                next.push(format!("or have it stay: `milestone config set scale_override {stay}`"));
            }
        }
        if self.decision.lacks_url.is_some() {
            next.push(
                "say where PostgreSQL is: `milestone config set storage.postgres_url URL`, or \
                 MILESTONE_DATABASE_URL"
                    .to_owned(),
            );
        }
        if chosen {
            next.push("to let its size decide: `milestone config set scale_override auto`".into());
        }
        if next.is_empty() {
            next.push("nothing".to_owned());
        }
        next
    }
}
