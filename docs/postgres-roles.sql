-- Several teams in one PostgreSQL database (15 or later), none of which sees another's projects.
--
-- Run it once, as the owner of the tables, after the first project was made:
--   psql -v ON_ERROR_STOP=1 -f postgres-roles.sql DATABASE
-- Then, for each person or team that has a role of its own:
--   GRANT milestone_user TO ada;
--   INSERT INTO milestone_member (project, member)
--   SELECT id, 'ada' FROM milestone_project WHERE uuid = '...';
-- Projects are made, and the schema is brought up to date, by the owner. Running it again is safe,
-- and needed after an update that brought tables or views.
BEGIN;

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'milestone_user') THEN
        CREATE ROLE milestone_user NOLOGIN;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS milestone_member (
    project BIGINT NOT NULL REFERENCES milestone_project (id),
    -- A role; whoever is a member of it is a member of the project.
    member NAME NOT NULL,
    PRIMARY KEY (project, member)
);

-- Asked once for each statement. Who else is a member of what stays with the owner.
CREATE OR REPLACE FUNCTION milestone_projects_of(who NAME) RETURNS SETOF BIGINT
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT project FROM milestone_member
    WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = member) AND pg_has_role(who, member, 'member')
$$;

DO $$
DECLARE
    named TEXT;
    key TEXT;
BEGIN
    FOR named, key IN
        SELECT c.relname, CASE c.relname WHEN 'milestone_project' THEN 'id' ELSE 'project' END
        FROM pg_class AS c
        WHERE c.relkind = 'r' AND c.relname LIKE 'milestone\_%'
            AND c.relname NOT IN ('milestone_migration', 'milestone_member')
            AND c.relnamespace = (SELECT relnamespace FROM pg_class
                WHERE oid = 'milestone_project'::regclass)
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', named);
        EXECUTE format('DROP POLICY IF EXISTS milestone_members ON %I', named);
        EXECUTE format(
            'CREATE POLICY milestone_members ON %I TO milestone_user '
            'USING (%I IN (SELECT milestone_projects_of(current_user)))', named, key);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO milestone_user', named);
    END LOOP;
    -- Whoever looks at a view is asked, and not whoever made it.
    FOR named IN
        SELECT viewname FROM pg_views
        WHERE viewname ~ '^(milestones|tasks|dependencies|events|claims)_v[0-9]+$'
            AND schemaname = (SELECT nspname FROM pg_namespace JOIN pg_class
                ON relnamespace = pg_namespace.oid
                WHERE pg_class.oid = 'milestone_project'::regclass)
    LOOP
        EXECUTE format('ALTER VIEW %I SET (security_invoker = true)', named);
        EXECUTE format('GRANT SELECT ON %I TO milestone_user', named);
    END LOOP;
END $$;

-- Projects are made and removed by the owner.
REVOKE INSERT, DELETE ON milestone_project FROM milestone_user;
GRANT SELECT ON milestone_migration TO milestone_user;
REVOKE ALL ON FUNCTION milestone_projects_of(NAME) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION milestone_projects_of(NAME) TO milestone_user;

COMMIT;
