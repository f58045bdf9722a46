export interface BlobTables {
  blob_accounts: BlobAccountRow;
  blob_containers: BlobContainerRow;
  blobs: BlobRow;
  blob_parts: BlobPartRow;
  blob_uncommitted: UncommittedBlockRow;
  blob_page_ranges: PageRangeRow;
}

export interface BlobAccountRow {
  name: string;
  /** The scope that access to its data is decided at. */
  scope: string;
  /** The two keys as JSON, sealed. */
  keys: Uint8Array;
  allows_shared_key: number;
  /** From which addresses its data may be reached, as JSON. */
  admitted: string;
  created_at: number;
}

export interface BlobContainerRow {
  account: string;
  name: string;
  etag: string;
  metadata: string;
  /** Stored access policies. */
  policies: string;
  lease: string;
  created_at: number;
  changed_at: number;
}

export interface BlobRow {
  account: string;
  container: string;
  name: string;
  /** Time of the snapshot; "~", which sorts behind every time, for the blob itself. */
  snapshot: string;
  kind: string;
  /** Its bytes: the parts (and, of a page blob, the ranges) with this id. Snapshots and copies share. */
  content_id: string;
  size: number;
  etag: string;
  /** What headers set and show: content type and the like, tier, copy, sequence number. */
  settings: string;
  metadata: string;
  lease: string;
  created_at: number;
  changed_at: number;
}

export interface BlobPartRow {
  content_id: string;
  ordinal: number;
  block_id: string;
  file: string;
  length: number;
}

export interface UncommittedBlockRow {
  account: string;
  container: string;
  name: string;
  block_id: string;
  file: string;
  length: number;
  created_at: number;
}

/** Where a page blob has been written; ranges neither touch nor overlap. */
export interface PageRangeRow {
  content_id: string;
  range_start: number;
  /** Exclusive. */
  range_end: number;
}
