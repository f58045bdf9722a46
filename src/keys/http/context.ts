import { z } from "zod";
import { checkRight, rights, type ObjectKind, type VaultCaller } from "../access.ts";
import { keyErrors } from "../errors.ts";
import type { ObjectName } from "../objects.ts";
import type { KeyStore } from "../store.ts";
import type { Place } from "./wire.ts";
import { isGiven } from "../given.ts";

export interface VaultReply {
  readonly status: number;
  readonly body?: unknown;
}

export interface VaultContext extends Place {
  readonly store: KeyStore;
  readonly caller: VaultCaller;
  /** Named parts of the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly body: unknown;
  query(name: string): string | undefined;
}

export interface VaultRoute {
  readonly method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  /** `keys/{name}/{version}/sign` */
  readonly path: string;
  readonly run: (context: VaultContext) => Promise<VaultReply>;
}

/** Checks the right and says which object it is about. */
export async function permitted<Kind extends ObjectKind>(
  context: VaultContext,
  kind: Kind,
  right: keyof (typeof rights)[Kind] & string,
): Promise<ObjectName> {
  const name = context.params["name"];
  const wanted = (rights[kind] as Readonly<Record<string, { policy: string; action: string }>>)[right];
  if (wanted === undefined) throw new Error(`no right ${right} on a ${kind}`);
  await checkRight(context.vault, context.caller, kind, wanted, name);
  return { vault: context.vault.name, kind, name: name ?? "" };
}

export function parse<Schema extends z.ZodType>(context: VaultContext, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(context.body ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  // The value is never repeated: it may be the secret.
  throw keyErrors.BadParameter(
    `Property ${issue?.path.map(String).join(".") ?? ""} has an invalid value: ${issue?.message ?? "it does not fit"}.`,
  );
}

const times = z.int().min(0).max(253_402_300_799).nullish();

export const attributesSchema = z
  .object({ enabled: z.boolean().nullish(), nbf: times, exp: times })
  .nullish()
  .transform((given) => given ?? {});

export const tagsSchema = z
  .record(z.string().max(256), z.string().max(256))
  .refine((tags) => Object.keys(tags).length <= 15, "an object has at most 15 tags")
  .nullish();

export type GivenAttributes = z.output<typeof attributesSchema>;

/** Only what is said. */
export function stated({ enabled, nbf, exp }: GivenAttributes): { enabled?: boolean; nbf?: number; exp?: number } {
  return {
    ...(!isGiven(enabled) ? {} : { enabled }),
    ...(!isGiven(nbf) ? {} : { nbf }),
    ...(!isGiven(exp) ? {} : { exp }),
  };
}
