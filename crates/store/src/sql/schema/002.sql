-- What people may query. The number in a name says what the columns are and mean: other columns
-- come under another number, and a view that was ever released stays.
CREATE VIEW milestones_v1 AS
SELECT project.uuid AS project, document.id AS milestone, document.title, document.status,
    NULLIF(document.priority, '') AS priority, NULLIF(document.assignee, '') AS assignee,
    NULLIF(document.due, '') AS due, document.archived
FROM milestone_document AS document JOIN milestone_project AS project
    ON project.id = document.project WHERE project.moved_to = '';

CREATE VIEW tasks_v1 AS
SELECT project.uuid AS project, task.milestone, task.number AS task, task.title, task.status,
    NULLIF(task.priority, '') AS priority, NULLIF(task.assignee, '') AS assignee,
    NULLIF(task.due, '') AS due, task.archived
FROM milestone_task AS task JOIN milestone_project AS project
    ON project.id = task.project WHERE project.moved_to = '';

CREATE VIEW dependencies_v1 AS
SELECT project.uuid AS project, edge.milestone, NULLIF(edge.task, 0) AS task,
    edge.on_milestone, NULLIF(edge.on_task, 0) AS on_task
FROM milestone_edge AS edge JOIN milestone_project AS project
    ON project.id = edge.project WHERE project.moved_to = '';

CREATE VIEW events_v1 AS
SELECT project.uuid AS project, event.seq AS position, NULLIF(event.milestone, 0) AS milestone,
    NULLIF(event.task, 0) AS task, event.at, event.actor, event.kind, event.body AS event
FROM milestone_event AS event JOIN milestone_project AS project
    ON project.id = event.project WHERE project.moved_to = '';

CREATE VIEW claims_v1 AS
SELECT project.uuid AS project, claim.milestone, claim.task, claim.actor
FROM milestone_claim AS claim JOIN milestone_project AS project
    ON project.id = claim.project WHERE project.moved_to = '';
