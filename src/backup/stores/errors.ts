import { defineErrors } from "../../lib/errors.ts";

export const storesErrors = defineErrors({
  BackupStoreNameInvalid: { status: 400 },
  BackupStoreUnknown: { status: 404, remedy: "Create it first, or attach the one that is there." },
  BackupStoreExists: { status: 409, remedy: "Drop it first, or choose another name." },
  PlaceTaken: { status: 409, remedy: "Give each vault a place of its own." },
  BackupStoreInUse: { status: 409, remedy: "Wait for the backups and restores that use it to end." },
  BackupStoresClosed: { status: 503, remedy: "The service is ending; try again when it runs." },
  PlaceNotAllowed: { status: 403 },
  StoreLocationUnusable: { status: 400 },
  StoreKeyUnavailable: { status: 403, remedy: "Make the key usable again; nothing in the store is lost." },
});
