import type { Blobs } from "../../blobs/blobs.ts";
import type { Services } from "../services.ts";

export interface StorageServices extends Services {
  readonly blobs: Blobs;
}
