import { connect, createServer, type Server, type Socket } from 'node:net';

/** What becomes of an answer to a fetch. */
export type Fate = 'pass' | 'swallow' | 'empty';

const FETCH = 1;
/** The version of a fetch that is understood here: the one that the client speaks to every broker of today. */
const FETCH_VERSION = 11;

/**
 * Stands between clients and a broker that advertises it. Fetches are looked at one partition at a time; everything else passes, so that groups and
 * heartbeats live on while a partition gives nothing.
 */
export class FetchProxy {
  /** Asked for each partition in each answer; `connection` counts from 1 in the order in which they were made. */
  fate: (connection: number, topic: string, partition: number) => Fate = () => 'pass';
  /** How many connections were made. */
  connections = 0;
  private target: number | undefined;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {
    server.on('connection', (socket) => this.serve(socket));
  }

  static async open(): Promise<FetchProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return new FetchProxy(server, typeof address === 'object' && address !== null ? address.port : 0);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** `host:port` of the broker; connections before are refused. */
  to(address: string): void {
    this.target = Number(address.split(':')[1]);
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private serve(client: Socket): void {
    if (this.target === undefined) {
      client.destroy();
      return;
    }
    this.connections += 1;
    const connection = this.connections;
    const broker = connect({ host: '127.0.0.1', port: this.target });
    const fetches = new Map<number, number>();
    frames(client, (request) => {
      if (request.readInt16BE(4) === FETCH) fetches.set(request.readInt32BE(8), request.readInt16BE(6));
      broker.write(request);
    });
    frames(broker, (answer) => {
      const id = answer.readInt32BE(4);
      const version = fetches.get(id);
      fetches.delete(id);
      const passed = version === undefined ? answer : this.judge(connection, version, answer);
      if (passed !== undefined) client.write(passed);
    });
    for (const [one, another] of [
      [client, broker],
      [broker, client],
    ] as const) {
      this.sockets.add(one);
      one.on('error', () => another.destroy());
      one.on('close', () => {
        this.sockets.delete(one);
        another.destroy();
      });
    }
  }

  /** The answer as it goes on; undefined when it does not. */
  private judge(connection: number, version: number, answer: Buffer): Buffer | undefined {
    if (version !== FETCH_VERSION) throw new Error(`a fetch of version ${version}, known is ${FETCH_VERSION}`);
    const parts: Buffer[] = [];
    // Length, correlation, throttle time, error, session.
    let at = 4 + 4 + 4 + 2 + 4;
    let from = 4;
    const topics = answer.readInt32BE(at);
    at += 4;
    for (let topic = 0; topic < topics; topic += 1) {
      const length = answer.readInt16BE(at);
      const name = answer.toString('utf8', at + 2, at + 2 + length);
      at += 2 + length;
      const partitions = answer.readInt32BE(at);
      at += 4;
      for (let each = 0; each < partitions; each += 1) {
        const partition = answer.readInt32BE(at);
        // Partition, error, high watermark, last stable offset, start of the log.
        at += 4 + 2 + 8 + 8 + 8;
        at += 4 + Math.max(0, answer.readInt32BE(at)) * 16; // aborted transactions
        at += 4; // preferred replica
        const bytes = Math.max(0, answer.readInt32BE(at));
        const fate = this.fate(connection, name, partition);
        if (fate === 'swallow') return undefined;
        if (fate === 'empty' && bytes > 0) {
          parts.push(answer.subarray(from, at), Buffer.alloc(4));
          from = at + 4 + bytes;
        }
        at += 4 + bytes;
      }
    }
    if (parts.length === 0) return answer;
    parts.push(answer.subarray(from));
    const body = Buffer.concat(parts);
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length);
    return Buffer.concat([length, body]);
  }
}

/** Calls with each whole message, its length in front. */
function frames(socket: Socket, each: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0);
      each(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
  });
}
