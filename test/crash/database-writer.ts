// The victim of the database campaign: `database-writer.ts PLACE ROUND`. Writes a resource, its event
// and its message in one transaction, several at a time, and says the name once it is committed.

import { writeSync } from "node:fs";
import { join } from "node:path";
import { holdDataFolder } from "../../src/db/data-folder.ts";
import { openDatabase, type DatabasePlace } from "../../src/db/database.ts";
import { postMessage } from "../../src/db/outbox.ts";
import { appendEvent } from "../../src/events/append.ts";
import { systemClock } from "../../src/lib/clock.ts";

const [place = "", round = ""] = process.argv.slice(2);
const target: DatabasePlace = place.startsWith("postgresql:")
  ? { url: place }
  : { file: join(place, "control.sqlite") };
if (target.file !== undefined) await holdDataFolder(place, systemClock);
const database = await openDatabase({ ...target, clock: systemClock });

await Promise.all(
  [1, 2, 3, 4].map(async (worker) => {
    for (let number = 0; ; number += 1) {
      const name = `${round}-${worker}-${number}`;
      await database.transaction(async (trx) => {
        const now = systemClock.now();
        const id = `/subscriptions/s/resourceGroups/${name}`;
        await trx
          .insertInto("resources")
          .values({
            key: id.toLowerCase(),
            id,
            subscription_key: "s",
            group_key: name,
            type: "Microsoft.Resources/resourceGroups",
            type_key: "microsoft.resources/resourcegroups",
            name,
            parent_key: "",
            tracked: 1,
            location: "local",
            envelope: "{}",
            properties: JSON.stringify({ padding: "x".repeat(1_000) }),
            hidden: "{}",
            state: "Succeeded",
            etag: name,
            created_at: now,
            created_by: "writer",
            created_by_type: "Application",
            changed_at: now,
            changed_by: "writer",
            changed_by_type: "Application",
          })
          .execute();
        appendEvent(trx, { type: "group.created", subject: name, data: null, correlationId: round, actor: "writer" });
        await postMessage(trx, { topic: "crash", key: name, body: { name } });
      });
      writeSync(1, `${name}\n`);
    }
  }),
);
