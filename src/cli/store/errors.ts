import { defineErrors } from "../../lib/errors.ts";

export const toolErrors = defineErrors({
  UsageInvalid: { status: 400, remedy: "--help shows examples." },
  Interrupted: { status: 499, remedy: "What was stored or copied is kept: the same command goes on from there." },
  KeyFileMissing: { status: 404, remedy: "Name it with --key FILE, or open with --recovery-key-file." },
  KeyFileExposed: {
    status: 403,
    remedy: "chmod 600 it; if others may have read it, give the vault a new key (rekey).",
  },
  KeyFileDamaged: { status: 400, remedy: "Use another copy of it, or open with --recovery-key-file." },
  CopyForeign: { status: 409, remedy: "Name a copy of this vault with --from." },
  BitmapInvalid: { status: 400, remedy: "docs/store-tool.md shows both forms of a bitmap file." },
});
