export type { BlobStore } from './blob-store.js';
export { checkBlobPath, openLocalBlobs, type LocalBlobsOptions } from './local-blobs.js';
