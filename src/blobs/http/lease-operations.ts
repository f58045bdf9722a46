// The lease actions, alike for blobs and containers.

import { scopeOf } from "../../db/transaction.ts";
import { blobErrors } from "../errors.ts";
import { checkConditions, type Validators } from "../conditions.ts";
import { acquire, breakLease, change, release, renew, type Lease } from "../lease.ts";
import type { Writer } from "../rows/account.ts";
import { changeBlob, getBlob } from "../rows/blob.ts";
import { changeContainer, getContainer } from "../rows/container.ts";
import { conditionsOf, containerAddress, numberHeader, required, writableAddress, type Context } from "./context.ts";
import { validators } from "./replies.ts";
import type { BlobReply } from "./request.ts";

export async function leaseBlob(context: Context): Promise<BlobReply> {
  const address = writableAddress(context);
  return context.store.database.transaction(async (trx) => {
    const blob = await getBlob(trx, address);
    return act(context, trx, blob, (lease) => changeBlob(trx, blob, { lease }));
  });
}

export async function leaseContainer(context: Context): Promise<BlobReply> {
  const address = containerAddress(context);
  return context.store.database.transaction(async (trx) => {
    const container = await getContainer(trx, address);
    return act(context, trx, container, (lease) => changeContainer(trx, address, { lease }));
  });
}

async function act(
  context: Context,
  trx: Writer,
  subject: Validators & { readonly lease: Lease },
  keep: (lease: Lease) => Promise<Validators>,
): Promise<BlobReply> {
  checkConditions(conditionsOf(context), subject, "write");
  const now = scopeOf(trx).clock.now();
  const id = (): string => guid("x-ms-lease-id", context.header("x-ms-lease-id"));
  const reply = async (status: number, lease: Lease, extra: Record<string, string> = {}): Promise<BlobReply> => {
    const kept = await keep(lease);
    return {
      status,
      headers: {
        ...validators(kept),
        ...(lease.id === undefined || lease.isBroken === true ? {} : { "x-ms-lease-id": lease.id }),
        ...extra,
      },
    };
  };
  const action = required("x-ms-lease-action", context.header("x-ms-lease-action")).toLowerCase();
  switch (action) {
    case "acquire": {
      const proposed = context.header("x-ms-proposed-lease-id");
      const wanted = proposed === undefined ? undefined : guid("x-ms-proposed-lease-id", proposed);
      return reply(201, acquire(subject.lease, numberHeader(context, "x-ms-lease-duration") ?? -1, wanted, now));
    }
    case "renew":
      return reply(200, renew(subject.lease, id(), now));
    case "change":
      return reply(
        200,
        change(subject.lease, id(), guid("x-ms-proposed-lease-id", context.header("x-ms-proposed-lease-id")), now),
      );
    case "release":
      return reply(200, release(subject.lease, id()));
    case "break": {
      const { lease, seconds } = breakLease(subject.lease, numberHeader(context, "x-ms-lease-break-period"), now);
      return reply(202, lease, { "x-ms-lease-time": String(seconds) });
    }
    default:
      throw blobErrors.InvalidHeaderValue(
        `x-ms-lease-action is '${action.slice(0, 30)}'; it is acquire, renew, change, release or break.`,
      );
  }
}

function guid(name: string, text: string | undefined): string {
  const value = required(name, text).toLowerCase();
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return value;
  throw blobErrors.InvalidHeaderValue(`${name} is '${value.slice(0, 60)}'; it must be a GUID.`);
}
