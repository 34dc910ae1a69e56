//! Offering work at a cost that does not grow with the project.
//!
//! Nothing is decided here. A task is offered until somebody who looked at it says that a look is
//! not worth while, and again as soon as anything changes for which that may be wrong: every such
//! change counts `woken` up in its own transaction, and who looked says what the count was before
//! the look. So no wake-up is lost, however the two come together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::civil::Date;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::Event;
use milestone_domain::ids::{MilestoneId, Node, TaskId};
use milestone_domain::offers::{Later, Rank, Ranking, day, later, may_be_offered, ranks};
use milestone_domain::readiness::{Board, path_parts};
use milestone_domain::snapshot::{Outline, Scope, Snapshot, TaskOutline};
use milestone_domain::status::TaskStatus;

use super::commit::{PARTS_TOGETHER, of, places};
use super::read::parsed;
use super::{
    Columns, Connection, Database, Question, Row, Rows, Sharing, Value, milestone, number,
};
use crate::{Candidate, Change, ClaimFilter, Looked, Result, Touched};

/// Among how many of the best a worker is given those that no other one looks at: more than work
/// at once, so that nobody who comes last finds only what others are about to take.
const SPREAD: usize = 128;

/// How many rows one statement changes when everything is looked at.
const ROWS_TOGETHER: usize = 1000;

/// What is offered by its own state, and by whom it can be taken.
const LANE: &str = "CASE WHEN open = 1 THEN '@' || assignee ELSE '' END";

/// Candidates, each after what it is sorted by.
#[derive(Default)]
struct Best(Vec<(String, Candidate)>);

impl Best {
    fn take(&mut self, row: &dyn Columns) -> Result<()> {
        let task = TaskId::new(milestone(row, 1)?, number(row, 2)?);
        let resources = match row.text(4)? {
            "" => Vec::new(),
            json => parsed("milestone_offer", json)?,
        };
        let candidate = Candidate { task, woken: row.int(3)?, resources };
        self.0.push((row.string(5)?, candidate));
        Ok(())
    }

    fn candidates(mut self) -> Vec<Candidate> {
        self.0.sort();
        self.0.into_iter().map(|(_, candidate)| candidate).collect()
    }
}

/// How the offers stand.
#[derive(Default)]
struct Standing {
    /// Where something is offered that may be taken.
    lanes: Vec<String>,
    /// A day has come on which something was to be looked at again.
    due: bool,
    ranking: Ranking,
}

impl Standing {
    fn take(&mut self, row: &dyn Columns) -> Result<()> {
        if row.int(0)? == 2 {
            self.lanes.push(row.string(5)?);
            return Ok(());
        }
        let moved = row.int(1)?.unsigned_abs();
        self.ranking = Ranking { moved, on: row.int(2)?, milestones: number(row, 4)? };
        self.due = row.int(3)? > 0;
        Ok(())
    }
}

impl<C: Connection> Database<C> {
    pub(super) fn offered(&self, n: usize, filter: &ClaimFilter) -> Result<Vec<Candidate>> {
        if self.turns.get() > 0 {
            self.begin()?;
        }
        // In a turn, nobody else is offered the same ones until the turn ends.
        let apart = if self.turns.get() > 0 { self.connection.apart() } else { "" };
        let own = |lanes: &[String]| match apart {
            "" => self.best(lanes, filter, n, ""),
            apart => self.best(lanes, filter, SPREAD, &format!("{apart} LIMIT {n}")),
        };
        let plain = plain_lanes(filter);
        let standing = std::iter::once(self.standing(filter));
        // Most often these are all the lanes there are, and one journey is enough.
        let likely = (!plain.is_empty()).then(|| own(&plain));
        let (standing, mut best) = self.looked_up(standing.chain(likely).collect())?;
        if standing.ranking.is_worn(filter.today) {
            // What has begun has changed nothing yet, and must not keep others waiting so long.
            self.roll_back();
            self.look_at_all(&standing.ranking, filter.today)?;
            return self.offered(n, filter);
        }
        if standing.due {
            self.wake_of_today(filter.today)?;
            return self.offered(n, filter);
        }
        if plain.is_empty() || standing.lanes.iter().any(|lane| !plain.contains(lane)) {
            (_, best) = self.looked_up(vec![own(&standing.lanes)])?;
        }
        if best.0.is_empty() && !apart.is_empty() {
            // All of the best are being looked at by others: those are better than nothing.
            (_, best) = self.looked_up(vec![self.best(&standing.lanes, filter, n, "")])?;
        }
        Ok(best.candidates())
    }

    fn looked_up(&self, questions: Vec<Question>) -> Result<(Standing, Best)> {
        let (mut standing, mut best) = (Standing::default(), Best::default());
        self.connection.each_of(questions, &mut |row| match row.int(0)? {
            0 => best.take(row),
            _ => standing.take(row),
        })?;
        Ok((standing, best))
    }

    /// There are few lanes, so they are found by going from each to the next. One of a path is
    /// open while nobody works on that path.
    fn standing(&self, filter: &ClaimFilter) -> Question {
        let project = self.project;
        let now = self.connection.now();
        let count = |name: &str| {
            format!(
                "COALESCE((SELECT value FROM milestone_counter \
                 WHERE project = {project} AND name = '{name}'), 0)"
            )
        };
        let lanes = match filter.worker {
            Some(_) => "lane IN ('@', '@' || $2)",
            None => "substr(lane, 1, 1) = '@'",
        };
        let sql = format!(
            "SELECT 1, {ranks} - {ranked}, {ranked_on}, \
               (SELECT COUNT(*) FROM (SELECT 1 FROM milestone_offer WHERE project = {project} \
                 AND day > 0 AND day <= {today} LIMIT 1) AS due), \
               COALESCE((SELECT MAX(id) FROM milestone_document WHERE project = {project}), 0), \
               '' AS lane \
             UNION ALL SELECT 2, 0, 0, 0, 0, lane FROM (WITH RECURSIVE lanes(lane) AS ( \
                 SELECT MIN(lane) FROM milestone_offer WHERE project = {project} AND lane > '' \
                 UNION ALL SELECT (SELECT MIN(lane) FROM milestone_offer \
                   WHERE project = {project} AND lane > '' AND lane > lanes.lane) \
                 FROM lanes WHERE lanes.lane IS NOT NULL) \
               SELECT lane FROM lanes WHERE lane IS NOT NULL) AS found \
             WHERE (substr(lane, 1, 1) = '#' AND NOT EXISTS (SELECT 1 FROM milestone_holding AS h \
                 LEFT JOIN milestone_claim AS c ON c.project = {project} \
                   AND c.milestone = h.milestone AND c.task = h.task \
                 WHERE h.project = {project} AND h.path = substr(lane, 2) \
                   AND (c.task IS NULL OR (c.boot = $1 AND c.deadline > {now})))) \
               OR {lanes}",
            ranks = count("ranks"),
            ranked = count("ranked"),
            ranked_on = count("ranked_on"),
            today = day(filter.today),
            now = now.millis,
        );
        let mut values = vec![Value::from(now.boot)];
        values.extend(filter.worker.clone().map(Value::from));
        Question { sql, values }
    }

    /// The best of these lanes, and of what claims leave that are over. `then` chooses among them.
    fn best(&self, lanes: &[String], filter: &ClaimFilter, n: usize, then: &str) -> Question {
        let project = self.project;
        let now = self.connection.now();
        let mut values = vec![Value::from(now.boot)];
        values.extend(filter.worker.clone().map(Value::from));
        let mut own = match filter.worker {
            Some(_) => " AND o.assignee IN ('', $2)".to_owned(),
            None => String::new(),
        };
        if let Some(MilestoneId(id)) = filter.milestone {
            let _ = write!(own, " AND o.milestone = {id}");
        }
        let columns = "o.milestone, o.number, o.woken, o.resources, o.rank";
        let mut all = format!(
            "SELECT {columns} FROM milestone_claim AS c JOIN milestone_offer AS o \
             ON o.project = {project} AND o.milestone = c.milestone AND o.number = c.task \
             WHERE c.project = {project} AND NOT (c.boot = $1 AND c.deadline > {}) \
               AND o.day = 0{own}",
            now.millis
        );
        for (lane, place) in lanes.iter().zip(values.len() + 1..) {
            let _ = write!(
                all,
                " UNION ALL SELECT * FROM (SELECT {columns} FROM milestone_offer AS o \
                 WHERE o.project = {project} AND o.lane = ${place} AND o.lane > ''{own} \
                 ORDER BY o.rank LIMIT {n}) AS lane{place}"
            );
            values.push(lane.clone().into());
        }
        let sql = format!(
            "SELECT 0, best.* FROM (SELECT * FROM ({all}) AS every ORDER BY rank LIMIT {n}) AS best{then}"
        );
        Question { sql, values }
    }

    /// The keys of paths: each is had alone, and the folders around it are shared, so that a folder
    /// is not begun on together with anything in it.
    pub(super) fn keys(&self, paths: &[String]) -> BTreeMap<i32, Sharing> {
        let mut keys = BTreeMap::new();
        for path in paths {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&self.project.to_le_bytes());
            let mut key = |part: &str| {
                hasher.update(part.as_bytes()).update(b"/");
                let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
                i32::from_le_bytes([a, b, c, d])
            };
            let mut last = key("");
            for part in path_parts(path) {
                keys.entry(last).or_insert(Sharing::Shared);
                last = key(part);
            }
            keys.insert(last, Sharing::Alone);
        }
        keys
    }

    /// Asks what others work on, for a change that begins on files: whoever did not queue before
    /// reading does so now, and looks.
    pub(super) fn queued_for(&self, change: &Change) -> Result<Question> {
        let begun = change.touched.iter().flat_map(|(id, touched)| {
            let document = change.documents.get(id);
            let numbers = touched.tasks.iter();
            numbers.filter_map(move |number| document.and_then(|document| document.task(*number)))
        });
        let paths: Vec<String> = begun.flat_map(|task| &task.resources).cloned().collect();
        if !paths.is_empty() {
            self.connection.queue_for(&self.keys(&paths))?;
        }
        let sql = format!("SELECT 3, 0, 0, 0, {}", holdings(self.project));
        Ok(Question { sql, values: Vec::new() })
    }

    fn wake_of_today(&self, today: Date) -> Result<()> {
        let sql = format!(
            "UPDATE milestone_offer SET woken = woken + 1, day = 0, lane = {LANE} \
             WHERE project = {} AND day > 0 AND day <= {}",
            self.project,
            day(today)
        );
        self.connection.write(sql, Vec::new())
    }

    /// Ranks everything, and takes back every offer that a look finds idle. Who does it says so
    /// first, so that nobody else does; what is ranked as before until it is done, or for ever if
    /// it is not, is only offered in another order.
    fn look_at_all(&self, ranking: &Ranking, today: Date) -> Result<()> {
        self.begin()?;
        if !self.keep_if(self.is_first_to_look(ranking, today), |_| true)? {
            return Ok(());
        }
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

    /// Whether nobody else has begun to look at everything since the offers stood like that.
    fn is_first_to_look(&self, ranking: &Ranking, today: Date) -> Result<bool> {
        let project = self.project;
        let sql = format!(
            "INSERT INTO milestone_counter (project, name, value) \
             SELECT {project}, 'ranked', COALESCE(MAX(value), 0) FROM milestone_counter \
               WHERE project = {project} AND name = 'ranks' \
             ON CONFLICT (project, name) DO UPDATE SET value = excluded.value \
               WHERE excluded.value - milestone_counter.value >= {moved}",
            moved = ranking.moved,
        );
        let by_moves = self.connection.run(&sql, &[])?;
        let sql = format!(
            "INSERT INTO milestone_counter (project, name, value) \
             VALUES ({project}, 'ranked_on', {today}) ON CONFLICT (project, name) \
             DO UPDATE SET value = excluded.value WHERE milestone_counter.value = {on}",
            today = day(today),
            on = ranking.on,
        );
        let by_day = self.connection.run(&sql, &[])?;
        let is_of_another_day = ranking.on < day(today);
        Ok(if is_of_another_day { by_day > 0 } else { by_moves > 0 })
    }

    fn kept_offers(&self) -> Result<BTreeMap<TaskId, KeptOffer>> {
        let sql = format!(
            "SELECT milestone, number, woken, lane, rank FROM milestone_offer \
             WHERE project = {} AND (open = 1 OR lane > '')",
            self.project
        );
        let mut kept = BTreeMap::new();
        self.connection.each(&sql, &[], &mut |row| {
            let task = TaskId::new(milestone(row, 0)?, number(row, 1)?);
            let offer =
                KeptOffer { woken: row.int(2)?, lane: row.string(3)?, rank: row.string(4)? };
            kept.insert(task, offer);
            Ok(())
        })?;
        Ok(kept)
    }

    /// What somebody else writes to in this moment gets its rank from them: nobody waits here, so
    /// nobody waits for one another.
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
                "UPDATE milestone_offer SET rank = now.rank \
                 FROM (SELECT o.milestone, o.number, v.column3 AS rank \
                   FROM (VALUES {moved}) AS v CROSS JOIN milestone_offer AS o \
                   WHERE o.project = {project} AND o.milestone = v.column1 \
                     AND o.number = v.column2 ORDER BY o.milestone, o.number{skipping}) AS now \
                 WHERE milestone_offer.project = {project} \
                   AND milestone_offer.milestone = now.milestone \
                   AND milestone_offer.number = now.number",
                moved = together.join(", "),
                project = self.project,
                skipping = self.connection.skipping(),
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
        self.keep_if(self.withdraw_offers(looked), |()| true)
    }

    /// What somebody else writes to in this moment is left to them, and to the next look.
    pub(super) fn withdraw_offers(&self, looked: &[Looked]) -> Result<()> {
        let mut by_place: BTreeMap<(String, i64), Vec<&Looked>> = BTreeMap::new();
        for looked in looked {
            let place = match &looked.later {
                Later::Woken => (String::new(), -1),
                Later::On(date) => (String::new(), day(*date)),
                Later::Free { path } => (format!("#{path}"), -1),
            };
            by_place.entry(place).or_default().push(looked);
        }
        for ((lane, day), looked) in by_place {
            let sql = format!(
                "UPDATE milestone_offer SET lane = $1, day = $2 WHERE project = $3 \
                 AND (milestone, number) IN (SELECT o.milestone, o.number \
                   FROM (VALUES {}) AS v CROSS JOIN milestone_offer AS o \
                   WHERE o.project = $3 AND o.milestone = v.column1 \
                     AND o.number = v.column2 AND o.woken = v.column3 \
                   ORDER BY o.milestone, o.number{})",
                places(4, 3, looked.len()),
                self.connection.skipping(),
            );
            let mut values: Vec<Value<'static>> =
                vec![lane.into(), day.into(), self.project.into()];
            values.extend(looked.iter().flat_map(|Looked { task, woken, .. }| {
                [task.milestone.0.into(), task.number.into(), Value::Int(*woken)]
            }));
            self.connection.write(sql, values)?;
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
            let edited = |event: &Event| matches!(event, Event::Edited { .. });
            let edited = change.events.iter().any(|recorded| edited(&recorded.event));
            self.write_holdings(document, touched, edited)?;
            self.write_own_offers(document, touched, &ranks)?;
        }
        self.wake(change)?;
        if moves_ranks {
            self.count("ranks")?;
        }
        self.withdraw_offers(&change.looked)
    }

    /// The same for a document that was brought as a whole.
    pub(super) fn write_all_offers(&self, document: &Milestone) -> Result<()> {
        let touched = Touched::all(document);
        self.write_holdings(document, &touched, true)?;
        self.write_own_offers(document, &touched, &BTreeMap::new())
    }

    /// Has everything looked at again, after much was brought that nobody decided on here.
    pub(super) fn look_again(&self) -> Result<()> {
        let project = self.project;
        let sql = format!(
            "UPDATE milestone_offer SET woken = woken + 1, day = 0, lane = {LANE} \
             WHERE project = {project}"
        );
        self.connection.run(&sql, &[])?;
        let sql = format!(
            "DELETE FROM milestone_counter WHERE project = {project} AND name = 'ranked_on'"
        );
        self.connection.run(&sql, &[]).map(drop)
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
        self.insert_offers(self.offer_rows(document, touched, ranks))?;
        for number in &touched.removed {
            let sql = "DELETE FROM milestone_offer \
                 WHERE project = $1 AND milestone = $2 AND number = $3";
            self.connection.write(sql.into(), self.task_key(TaskId::new(document.id, *number)))?;
        }
        Ok(())
    }

    pub(super) fn insert_offers(&self, rows: Rows) -> Result<()> {
        self.connection.insert(OFFER_COLUMNS, rows, OFFER_AGAIN)
    }

    pub(super) fn offer_rows(
        &self,
        document: &Milestone,
        touched: &Touched,
        ranks: &BTreeMap<TaskId, Rank>,
    ) -> Rows {
        let outline = Outline::without_tasks(document);
        let tasks = document.tasks.iter().filter(|task| touched.tasks.contains(&task.id.number));
        let row = |task: &Task| {
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
                paths(&task.resources).into(),
                Value::Int(0),
                lane.into(),
                Value::Int(0),
                rank.map(|rank| rank.key()).unwrap_or_default().into(),
            ]
        };
        let mut rows: Vec<(u32, Row)> = tasks.map(|task| (task.id.number, row(task))).collect();
        rows.sort_by_key(|(number, _)| *number);
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// What is worked on, by tasks that are in progress. `edited` says that they may have worked on
    /// something else before.
    fn write_holdings(&self, document: &Milestone, touched: &Touched, edited: bool) -> Result<()> {
        let tasks = document.tasks.iter().filter(|task| touched.tasks.contains(&task.id.number));
        let touching = tasks.filter(|task| edited || !task.resources.is_empty());
        let (mut gone, mut rows) = (touched.removed.clone(), Vec::new());
        for task in touching {
            gone.insert(task.id.number);
            rows.extend(self.holding_rows(document.id, task));
        }
        if !gone.is_empty() {
            let sql = format!(
                "DELETE FROM milestone_holding WHERE project = $1 AND milestone = $2 AND task IN {}",
                places(3, gone.len(), 1)
            );
            let mut values = vec![Value::Int(self.project), document.id.0.into()];
            values.extend(gone.into_iter().map(Value::from));
            self.connection.write(sql, values)?;
        }
        self.insert_holdings(rows)
    }

    /// None but for a task that is in progress.
    pub(super) fn holding_rows(&self, of: MilestoneId, task: &Task) -> Rows {
        if task.status != TaskStatus::InProgress {
            return Vec::new();
        }
        let paths: BTreeSet<&String> = task.resources.iter().collect();
        let row = |path: &String| {
            vec![Value::Int(self.project), of.0.into(), task.id.number.into(), path.clone().into()]
        };
        paths.into_iter().map(row).collect()
    }

    pub(super) fn insert_holdings(&self, rows: Rows) -> Result<()> {
        self.connection.insert("milestone_holding (project, milestone, task, path)", rows, "")
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
        let nodes: Vec<(u32, u32)> = nodes.into_iter().collect();
        for nodes in nodes.chunks(PARTS_TOGETHER) {
            let which = format!(
                "SELECT o.milestone, o.number FROM (VALUES {}) AS v \
                 CROSS JOIN milestone_edge AS e CROSS JOIN milestone_offer AS o \
                 WHERE e.project = $1 AND e.on_milestone = v.column1 \
                   AND e.on_task = v.column2 AND o.project = $1 \
                   AND o.milestone = e.milestone AND (o.number = e.task OR e.task = 0)",
                places(2, 2, nodes.len()),
            );
            self.wake_all(&which, nodes.iter().flat_map(|(id, task)| [*id, *task]))?;
        }
        let milestones: Vec<u32> = wakes.milestones.iter().map(|id| id.0).collect();
        for milestones in milestones.chunks(PARTS_TOGETHER) {
            let which = format!(
                "SELECT o.milestone, o.number FROM milestone_offer AS o \
                 WHERE o.project = $1 AND o.milestone IN {}",
                places(2, milestones.len(), 1)
            );
            self.wake_all(&which, milestones.iter().copied())?;
        }
        Ok(())
    }

    fn wake_all(&self, which: &str, of_these: impl Iterator<Item = u32>) -> Result<()> {
        let locking = of(self.connection.locking(true), "o");
        let sql = format!(
            "UPDATE milestone_offer SET woken = woken + 1, day = 0, lane = {LANE} \
             WHERE project = $1 AND (milestone, number) IN ({which} \
               AND (o.open = 1 OR o.day <> 0) ORDER BY o.milestone, o.number{locking})"
        );
        let project = std::iter::once(Value::Int(self.project));
        self.connection.write(sql, project.chain(of_these.map(Value::from)).collect())
    }
}

/// The lanes that a worker may take from whatever anybody works on.
fn plain_lanes(filter: &ClaimFilter) -> Vec<String> {
    let lanes = filter.worker.iter().flat_map(|worker| ["@".to_owned(), format!("@{worker}")]);
    lanes.collect::<BTreeSet<_>>().into_iter().collect()
}

/// What a reading of all that is being worked on comes to. Every row has a higher number than those
/// before it, so no other reading comes to the same.
pub(super) fn holdings(project: i64) -> String {
    format!(
        "(SELECT COUNT(*) || ':' || COALESCE(SUM(seq), 0) FROM milestone_holding \
         WHERE project = {project})"
    )
}

fn paths(paths: &[String]) -> String {
    if paths.is_empty() { String::new() } else { serde_json::Value::from(paths).to_string() }
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

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use jiff::civil::date;

    use super::super::read::tests::database;
    use super::*;

    #[test]
    fn of_two_who_find_everything_worn_one_looks_at_it() {
        let (_folder, database) = database();
        let look = |ranking: &Ranking, today| {
            database.begin().unwrap();
            database.keep_if(database.is_first_to_look(ranking, today), |_| true).unwrap()
        };
        let (today, tomorrow) = (date(2026, 11, 21), date(2026, 11, 22));
        let never = Ranking { moved: 0, on: 0, milestones: 1 };
        assert_eq!([look(&never, today), look(&never, today)], [true, false]);
        let of_today = Ranking { on: day(today), ..never };
        assert_eq!([look(&of_today, tomorrow), look(&of_today, tomorrow)], [true, false]);
        database.count("ranks").unwrap();
        let moved = Ranking { moved: 1, on: day(tomorrow), milestones: 1 };
        assert_eq!([look(&moved, tomorrow), look(&moved, tomorrow)], [true, false]);
    }
}
