// The service's log: JSON lines on standard error. What could be a secret is cut out by name, in what is
// logged and in objects in it, two deep.

import { pino, type Logger } from "pino";

const secretNames = [
  "authorization",
  "password",
  "client_secret",
  "clientSecret",
  "access_token",
  "refresh_token",
  "accessToken",
  "token",
  "secret",
  "key",
  "passphrase",
  "protectedSettings",
  "cookie",
];

export type Log = Logger;

export function createLog(level: string): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: "(not logged)" },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
