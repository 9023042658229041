export { FILE_TYPES, fileOf, type FileType } from './bodies/index.js';
export { DEFAULT_EVENT_FAULTS, type EventFault, type EventFaults, NO_EVENT_FAULTS } from './event-faults.js';
export { DEFAULT_FILE_FAULTS, type FileFault, type FileFaults, NO_FILE_FAULTS } from './file-faults.js';
export { type FileServer, type FileServerOptions, startFileServer } from './file-server.js';
export { SIMULATOR_HOSTS } from './links.js';
export { simulate, type SimulateOptions } from './simulate.js';
