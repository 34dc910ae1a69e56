//! Offering work at a cost that does not grow with the project.
//!
//! Nothing is decided here. A task is offered until somebody who looked at it says that a look is
//! not worth while, and again as soon as anything changes for which that may be wrong: every such
//! change counts `woken` up in its own transaction, and who looked says what the count was before
//! the look. So no wake-up is lost, however the two come together.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use milestone_domain::document::Milestone;
use milestone_domain::event::Event;
use milestone_domain::ids::{MilestoneId, Node, TaskId};
use milestone_domain::offers::{Later, Rank, Ranking, day, later, may_be_offered, ranks};
use milestone_domain::readiness::Board;
use milestone_domain::snapshot::{Outline, Scope, Snapshot, TaskOutline};
use milestone_domain::status::TaskStatus;

use super::{Connection, Database, Value};
use crate::{Candidate, Change, ClaimFilter, Looked, Result, Touched};

/// Among how many of the best a worker is given those that no other one looks at: more than work
/// at once, so that nobody who comes last finds only what others are about to take.
const SPREAD: usize = 128;

/// How many rows one statement changes when everything is looked at.
const ROWS_TOGETHER: usize = 1000;

/// What is offered by its own state, and by whom it can be taken.
const LANE: &str = "CASE WHEN open = 1 THEN '@' || assignee ELSE '' END";

/// How the offers stand, beside the best of them.
#[derive(Default)]
struct Answer {
    candidates: Vec<Candidate>,
    /// A day has come on which something was to be looked at again.
    due: bool,
    ranking: Ranking,
}

impl<C: Connection> Database<C> {
    pub(super) fn offered(&self, n: usize, filter: &ClaimFilter) -> Result<Vec<Candidate>> {
        let mut answer = self.answer(n, filter)?;
        if answer.ranking.is_worn(filter.today) {
            // What has begun has changed nothing yet, and must not keep others waiting so long.
            self.roll_back();
            self.look_at_all(&answer.ranking, filter.today)?;
            answer = self.answer(n, filter)?;
        }
        if answer.due {
            self.wake_of_today(filter.today)?;
            answer = self.answer(n, filter)?;
        }
        Ok(answer.candidates)
    }

    /// In a turn, nobody else is offered the same ones until the turn ends. Where all of the best
    /// are being looked at by others, those are better than nothing.
    fn answer(&self, n: usize, filter: &ClaimFilter) -> Result<Answer> {
        let apart = self.connection.apart();
        if self.turns.get() == 0 || apart.is_empty() {
            if self.turns.get() > 0 {
                self.begin()?;
            }
            return self.ask(&self.best(filter, n), filter);
        }
        self.begin()?;
        let best = self.best(filter, SPREAD);
        let answer =
            self.ask(&format!("SELECT * FROM ({best}) AS nearest{apart} LIMIT {n}"), filter)?;
        match answer.candidates.is_empty() {
            true => self.ask(&best, filter),
            false => Ok(answer),
        }
    }

    fn ask(&self, best: &str, filter: &ClaimFilter) -> Result<Answer> {
        let project = self.project;
        let count = |name: &str| {
            format!(
                "COALESCE((SELECT value FROM milestone_counter \
                 WHERE project = {project} AND name = '{name}'), 0)"
            )
        };
        let sql = format!(
            "SELECT {ranks}, {ranked}, {ranked_on}, \
               (SELECT COUNT(*) FROM (SELECT 1 FROM milestone_offer WHERE project = {project} \
                 AND day > 0 AND day <= {today} LIMIT 1) AS due), \
               COALESCE((SELECT MAX(id) FROM milestone_document WHERE project = {project}), 0), \
               '' AS rank \
             UNION ALL SELECT milestone, number, woken, resources, -1, rank FROM ({best}) AS best",
            ranks = count("ranks"),
            ranked = count("ranked"),
            ranked_on = count("ranked_on"),
            today = day(filter.today),
        );
        let worker = filter.worker.as_deref().map(Value::from);
        let boot = self.connection.now().boot;
        let mut values = vec![Value::from(boot.as_str())];
        values.extend(worker);
        let mut answer = Answer::default();
        let mut ranked: Vec<(String, Candidate)> = Vec::new();
        self.connection.each(&sql, &values, &mut |row| {
            let milestones = row.int(4)?;
            if milestones >= 0 {
                let (moved, known) = (row.int(0)?, row.int(1)?);
                let (on, moved) = (row.int(2)?, moved.abs_diff(known));
                answer.ranking = Ranking { moved, on, milestones: milestones.unsigned_abs() };
                answer.due = row.int(3)? > 0;
                return Ok(());
            }
            let task = TaskId::new(MilestoneId(number(row.int(0)?)), number(row.int(1)?));
            let candidate =
                Candidate { task, woken: row.int(2)?, takes_resources: row.int(3)? == 1 };
            ranked.push((row.string(5)?, candidate));
            Ok(())
        })?;
        ranked.sort();
        answer.candidates = ranked.into_iter().map(|(_, candidate)| candidate).collect();
        Ok(answer)
    }

    /// The best of every lane in which there is anything for the worker, and what a claim that is
    /// over leaves. There are few lanes, so they are found by going from each to the next.
    fn best(&self, filter: &ClaimFilter, n: usize) -> String {
        let project = self.project;
        let now = self.connection.now();
        // The first value of the statement is always the boot.
        let live = format!("c.boot = $1 AND c.deadline > {}", now.millis);
        let columns = "o.milestone, o.number, o.woken, o.resources, o.rank";
        let claim_of = |of: &str| {
            format!("c.project = {project} AND c.milestone = {of}.milestone AND c.task = {of}.task")
        };
        let free = |lane: &str| {
            format!(
                "NOT EXISTS (SELECT 1 FROM milestone_holding AS h LEFT JOIN milestone_claim AS c \
                 ON {} WHERE h.project = {project} AND h.path = substr({lane}, 2) \
                 AND (c.task IS NULL OR ({live})))",
                claim_of("h")
            )
        };
        let (lanes, own) = match filter.worker {
            Some(_) => ("l.lane IN ('@', '@' || $2)", " AND o.assignee IN ('', $2)"),
            None => ("substr(l.lane, 1, 1) = '@'", ""),
        };
        let lapsed = format!(
            "SELECT {columns} FROM milestone_claim AS c JOIN milestone_offer AS o \
             ON o.project = {project} AND o.milestone = c.milestone AND o.number = c.task \
             WHERE c.project = {project} AND NOT ({live}) AND o.day = 0{own}"
        );
        let offered = match filter.milestone {
            Some(MilestoneId(id)) => {
                let lanes = lanes.replace("l.lane", "o.lane");
                let lapsed = format!("{lapsed} AND o.milestone = {id}");
                return format!(
                    "SELECT * FROM ({lapsed} UNION ALL SELECT {columns} FROM milestone_offer AS o \
                     WHERE o.project = {project} AND o.milestone = {id} AND o.lane > ''{own} \
                       AND ({lanes} OR (substr(o.lane, 1, 1) = '#' AND {free}))) AS offers \
                     ORDER BY rank LIMIT {n}",
                    free = free("o.lane"),
                );
            }
            None => format!(
                "SELECT {columns} FROM (WITH RECURSIVE lanes(lane) AS ( \
                   SELECT MIN(lane) FROM milestone_offer WHERE project = {project} AND lane > '' \
                   UNION ALL SELECT (SELECT MIN(lane) FROM milestone_offer \
                     WHERE project = {project} AND lane > '' AND lane > lanes.lane) \
                   FROM lanes WHERE lanes.lane IS NOT NULL) \
                 SELECT lane FROM lanes AS l WHERE lane IS NOT NULL \
                   AND ({lanes} OR (substr(l.lane, 1, 1) = '#' AND {free}))) AS open \
                 JOIN milestone_offer AS o \
                 ON o.project = {project} AND o.lane = open.lane AND o.lane > ''{own} \
                   AND o.rank <= COALESCE((SELECT o.rank FROM milestone_offer AS o \
                     WHERE o.project = {project} AND o.lane = open.lane AND o.lane > ''{own} \
                     ORDER BY o.rank LIMIT 1 OFFSET {last}), 'z')",
                free = free("l.lane"),
                last = n.saturating_sub(1),
            ),
        };
        format!("SELECT * FROM ({lapsed} UNION ALL {offered}) AS offers ORDER BY rank LIMIT {n}")
    }

    fn wake_of_today(&self, today: Date) -> Result<()> {
        let sql = format!(
            "UPDATE milestone_offer SET woken = woken + 1, day = 0, lane = {LANE} \
             WHERE project = {} AND day > 0 AND day <= {}",
            self.project,
            day(today)
        );
        self.connection.run(&sql, &[]).map(drop)
    }

    /// Ranks everything, and takes back every offer that a look finds idle. Who does it says so
    /// first, so that it is not done by everybody at once; what is ranked as before until it is
    /// done, or for ever if it is not, is only offered in another order.
    fn look_at_all(&self, ranking: &Ranking, today: Date) -> Result<()> {
        self.begin()?;
        let project = self.project;
        let sql = format!(
            "INSERT INTO milestone_counter (project, name, value) \
             SELECT {project}, 'ranked', COALESCE(MAX(value), 0) FROM milestone_counter \
               WHERE project = {project} AND name = 'ranks' \
             ON CONFLICT (project, name) DO UPDATE SET value = excluded.value"
        );
        self.connection.run(&sql, &[])?;
        let sql = format!(
            "INSERT INTO milestone_counter (project, name, value) \
             VALUES ({project}, 'ranked_on', {today}) ON CONFLICT (project, name) \
             DO UPDATE SET value = excluded.value WHERE milestone_counter.value = {on}",
            today = day(today),
            on = ranking.on,
        );
        self.connection.run(&sql, &[])?;
        self.keep()?;
        let kept = self.kept_offers()?;
        let snapshot = self.read_scope(&Scope::Graph(BTreeSet::new()))?;
        self.rank_again(&snapshot, &kept, today)?;
        let board = Board::new(&snapshot, today);
        let idle = kept.iter().filter(|(_, kept)| !kept.lane.is_empty());
        let idle = idle.filter_map(|(task, kept)| {
            let later = later(&board, &snapshot, *task)?;
            Some(Looked { task: *task, woken: kept.woken, later })
        });
        let idle: Vec<Looked> = idle.collect();
        for together in idle.chunks(ROWS_TOGETHER) {
            self.withdraw_all(together)?;
        }
        Ok(())
    }

    fn kept_offers(&self) -> Result<BTreeMap<TaskId, KeptOffer>> {
        let sql = format!(
            "SELECT milestone, number, woken, lane, rank FROM milestone_offer \
             WHERE project = {} AND (open = 1 OR lane > '')",
            self.project
        );
        let mut kept = BTreeMap::new();
        self.connection.each(&sql, &[], &mut |row| {
            let task = TaskId::new(MilestoneId(number(row.int(0)?)), number(row.int(1)?));
            let offer =
                KeptOffer { woken: row.int(2)?, lane: row.string(3)?, rank: row.string(4)? };
            kept.insert(task, offer);
            Ok(())
        })?;
        Ok(kept)
    }

    fn rank_again(
        &self,
        snapshot: &Snapshot,
        kept: &BTreeMap<TaskId, KeptOffer>,
        today: Date,
    ) -> Result<()> {
        let ranks = ranks(snapshot, today);
        let moved = ranks.iter().filter_map(|(task, rank)| {
            let key = rank.key();
            kept.get(task).filter(|kept| kept.rank != key)?;
            Some(format!("({}, {}, '{key}')", task.milestone.0, task.number))
        });
        let moved: Vec<String> = moved.collect();
        for together in moved.chunks(ROWS_TOGETHER) {
            self.connection.batch(&format!(
                "UPDATE milestone_offer SET rank = v.column3 FROM (VALUES {}) AS v \
                 WHERE project = {} AND milestone = v.column1 AND number = v.column2",
                together.join(", "),
                self.project
            ))?;
        }
        Ok(())
    }

    /// Takes back offers that a look found idle, in a transaction of its own.
    pub(super) fn withdraw_all(&self, looked: &[Looked]) -> Result<()> {
        if looked.is_empty() {
            return Ok(());
        }
        self.begin()?;
        let withdrawn = self.withdraw_offers(looked);
        if withdrawn.is_err() {
            self.roll_back();
            return withdrawn;
        }
        self.keep()
    }

    /// What somebody else writes to in this moment is left to them, and to the next look.
    pub(super) fn withdraw_offers(&self, looked: &[Looked]) -> Result<()> {
        let mut places: BTreeMap<(String, i64), Vec<&Looked>> = BTreeMap::new();
        for looked in looked {
            let place = match &looked.later {
                Later::Woken => (String::new(), -1),
                Later::On(date) => (String::new(), day(*date)),
                Later::Free { path } => (format!("#{path}"), -1),
            };
            places.entry(place).or_default().push(looked);
        }
        for ((lane, day), looked) in places {
            let names = looked.iter().map(|Looked { task, woken, .. }| {
                format!("({}, {}, {woken})", task.milestone.0, task.number)
            });
            let sql = format!(
                "UPDATE milestone_offer SET lane = $1, day = {day} WHERE project = {project} \
                 AND (milestone, number) IN (SELECT milestone, number FROM milestone_offer \
                   WHERE project = {project} AND (milestone, number, woken) IN (VALUES {names}) \
                   ORDER BY milestone, number{skipping})",
                project = self.project,
                names = names.collect::<Vec<_>>().join(", "),
                skipping = self.connection.skipping(),
            );
            self.connection.run(&sql, &[lane.into()])?;
        }
        Ok(())
    }

    /// What a change does to offers. It comes last of all that a change writes: whoever holds the
    /// row of an offer then waits for nobody any more.
    pub(super) fn write_offers(&self, change: &Change) -> Result<()> {
        let moves_ranks = change.moves_ranks();
        let ranks = if moves_ranks { self.local_ranks(change) } else { BTreeMap::new() };
        for (id, document) in &change.documents {
            let Some(touched) = change.touched.get(id) else { continue };
            self.write_holdings(change, document, touched)?;
            self.write_own_offers(document, touched, &ranks)?;
        }
        self.wake(change)?;
        if moves_ranks {
            self.count("ranks")?;
        }
        self.withdraw_offers(&change.looked)
    }

    /// As far as the change itself knows what waits; the whole of it is looked at from time to
    /// time.
    fn local_ranks(&self, change: &Change) -> BTreeMap<TaskId, Rank> {
        let Some(first) = change.events.first() else { return BTreeMap::new() };
        let mut snapshot = Snapshot { settings: self.settings.clone(), ..Snapshot::default() };
        let outlines = change.documents.iter().map(|(id, document)| (*id, Outline::of(document)));
        snapshot.outlines.extend(outlines);
        ranks(&snapshot, self.settings.date(first.at))
    }

    fn write_own_offers(
        &self,
        document: &Milestone,
        touched: &Touched,
        ranks: &BTreeMap<TaskId, Rank>,
    ) -> Result<()> {
        let outline = Outline::without_tasks(document);
        let tasks = document.tasks.iter().filter(|task| touched.tasks.contains(&task.id.number));
        let row = |task: &milestone_domain::document::Task| {
            let id = TaskId::new(document.id, task.id.number);
            let open = may_be_offered(task.status);
            let assignee = task.assignee.clone().unwrap_or_default();
            let lane = if open { format!("@{assignee}") } else { String::new() };
            let rank = ranks.get(&id).copied();
            let unknown = || Rank::of(None, id, (&outline, &TaskOutline::of(task)), None);
            let rank = if ranks.is_empty() { None } else { Some(rank.unwrap_or_else(unknown)) };
            vec![
                Value::Int(self.project),
                document.id.0.into(),
                task.id.number.into(),
                u32::from(open).into(),
                assignee.into(),
                u32::from(!task.resources.is_empty()).into(),
                Value::Int(0),
                lane.into(),
                Value::Int(0),
                rank.map(|rank| rank.key()).unwrap_or_default().into(),
            ]
        };
        let mut rows: Vec<(u32, Vec<Value<'_>>)> =
            tasks.map(|task| (task.id.number, row(task))).collect();
        rows.sort_by_key(|(number, _)| *number);
        let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
        self.connection.insert(OFFER_COLUMNS, &rows, OFFER_AGAIN)?;
        for number in &touched.removed {
            let sql = format!(
                "DELETE FROM milestone_offer \
                 WHERE project = {} AND milestone = {} AND number = {number}",
                self.project, document.id.0
            );
            self.connection.run(&sql, &[])?;
        }
        Ok(())
    }

    fn write_holdings(
        &self,
        change: &Change,
        document: &Milestone,
        touched: &Touched,
    ) -> Result<()> {
        let edited = |event: &Event| matches!(event, Event::Edited { .. });
        let edited = change.events.iter().any(|recorded| edited(&recorded.event));
        let tasks = document.tasks.iter().filter(|task| touched.tasks.contains(&task.id.number));
        let touching = tasks.filter(|task| edited || !task.resources.is_empty());
        let (mut gone, mut rows) = (touched.removed.clone(), Vec::new());
        for task in touching {
            gone.insert(task.id.number);
            if task.status == TaskStatus::InProgress {
                let paths: BTreeSet<&str> = task.resources.iter().map(String::as_str).collect();
                rows.extend(paths.into_iter().map(|path| {
                    let (milestone, number) = (document.id.0, task.id.number);
                    vec![Value::Int(self.project), milestone.into(), number.into(), path.into()]
                }));
            }
        }
        if !gone.is_empty() {
            let numbers = gone.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let sql = format!(
                "DELETE FROM milestone_holding \
                 WHERE project = {} AND milestone = {} AND task IN ({numbers})",
                self.project, document.id.0
            );
            self.connection.run(&sql, &[])?;
        }
        self.connection.insert("milestone_holding (project, milestone, task, path)", &rows, "")
    }

    /// Offers again whatever a change may have made ready.
    fn wake(&self, change: &Change) -> Result<()> {
        let wakes = &change.wakes;
        let mut nodes: BTreeSet<(u32, u32)> = wakes
            .nodes
            .iter()
            .map(|node| match node {
                Node::Milestone(id) => (id.0, 0),
                Node::Task(id) => (id.milestone.0, id.number),
            })
            .collect();
        let set = change.events.iter().any(|recorded| {
            matches!(recorded.event, Event::ConditionSet { .. } | Event::ConditionCleared { .. })
        });
        if wakes.conditions || set {
            // Whoever begins to wait for a condition counts, too: one of the two sees the other.
            self.count("conditions")?;
            nodes.insert((0, 0));
        }
        if !nodes.is_empty() {
            let nodes = nodes.iter().map(|(milestone, task)| format!("({milestone}, {task})"));
            self.wake_all(&format!(
                "SELECT o.milestone, o.number FROM milestone_edge AS e JOIN milestone_offer AS o \
                 ON o.project = e.project AND o.milestone = e.milestone \
                   AND (o.number = e.task OR e.task = 0) \
                 WHERE e.project = {} AND (e.on_milestone, e.on_task) IN (VALUES {})",
                self.project,
                nodes.collect::<Vec<_>>().join(", ")
            ))?;
        }
        if !wakes.milestones.is_empty() {
            let ids = wakes.milestones.iter().map(|id| id.0.to_string()).collect::<Vec<_>>();
            self.wake_all(&format!(
                "SELECT o.milestone, o.number FROM milestone_offer AS o \
                 WHERE o.project = {} AND o.milestone IN ({})",
                self.project,
                ids.join(", ")
            ))?;
        }
        Ok(())
    }

    fn wake_all(&self, which: &str) -> Result<()> {
        let mut locking = self.connection.locking(true).to_owned();
        if !locking.is_empty() {
            locking.push_str(" OF o");
        }
        let sql = format!(
            "UPDATE milestone_offer SET woken = woken + 1, day = 0, lane = {LANE} \
             WHERE project = {} AND (milestone, number) IN ({which} \
               AND (o.open = 1 OR o.day <> 0) ORDER BY o.milestone, o.number{locking})",
            self.project
        );
        self.connection.run(&sql, &[]).map(drop)
    }
}

/// An offer as it was before everything was looked at.
struct KeptOffer {
    woken: i64,
    lane: String,
    rank: String,
}

const OFFER_COLUMNS: &str = "milestone_offer (project, milestone, number, open, assignee, \
     resources, woken, lane, day, rank)";

const OFFER_AGAIN: &str = " ON CONFLICT (project, milestone, number) DO UPDATE SET \
     open = excluded.open, assignee = excluded.assignee, resources = excluded.resources, \
     woken = milestone_offer.woken + 1, lane = excluded.lane, day = 0, \
     rank = CASE WHEN excluded.rank = '' THEN milestone_offer.rank ELSE excluded.rank END";

fn number(int: i64) -> u32 {
    u32::try_from(int).unwrap_or(u32::MAX)
}
