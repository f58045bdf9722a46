export interface DiskTables {
  backup_stores: BackupStoreRow;
  disk_images: DiskImageRow;
  disk_grants: DiskGrantRow;
}

/** Where the bytes of a vault or of a collection of restore points are. */
export interface BackupStoreRow {
  /** `vaults/GUID`, `collections/GUID` */
  name: string;
  /** JSON, without secrets. */
  location: string;
  /** The local tier before it, as JSON; null without one. */
  hot: string | null;
  /** JSON, sealed; null where the surroundings bring the credential, or none is needed. */
  credential: Uint8Array | null;
  /** Which key opens it, as JSON. */
  key: string;
  created_at: number;
}

/** The bytes of a managed disk or of a snapshot: `disks/IMAGE.raw` in the data folder. */
export interface DiskImageRow {
  image_id: string;
  /** Lower-case id of the resource that it belongs to. */
  owner: string;
  size: number;
  /** 0 while its content is being written. */
  is_ready: number;
  created_at: number;
}

/** A URL by which a disk may be downloaded for a while. */
export interface DiskGrantRow {
  grant_id: string;
  /** Lower-case id of the resource that it was given for. */
  owner: string;
  /** What is served, as JSON: an image, or a disk of a point. */
  source: string;
  access: string;
  expires_at: number;
  created_at: number;
}
