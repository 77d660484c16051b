export const USAGE = `npm run keys -- create --name NAME [--tenant TENANT] [--scopes read,write,admin]
                      [--expires 90d] [--per-minute 600] [--burst 600]
npm run keys -- list [--tenant TENANT]
npm run keys -- rotate ID [--overlap 1h]
npm run keys -- revoke ID

  --name        what the key is for, to tell it from others
  --tenant      whose tasks it sees and makes; without it: default
  --scopes      read (look at tasks), write (create, cancel and retry them), admin (dead letters
                and the audit log); without it: read,write
  --expires     from when on it is refused: 30m, 12h, 90d, or a time as 2030-01-31T12:00:00Z;
                without it: never
  --per-minute  how many requests a minute it may send, or none for no limit; without it: 600
  --burst       how many of them at once; without it: as many as a minute has
  --overlap     how long the secret that is replaced still works, one at a time; without it: none
                that was replaced works any more
  --stage       of a deployment on AWS, through its function manage-keys; --region says where
                 (without it: AWS_REGION)
  --json        for programs: npm run --silent keys -- list --json

The database is that of DATABASE_URL or, when this is not set, that of the npm start that runs in
this project.`;
