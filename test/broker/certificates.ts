import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from './artifacts.js';

/** PEM texts. */
export interface Certificates {
  /** What a client has to trust. */
  readonly authority: string;
  /** An authority that has signed nothing here. */
  readonly stranger: string;
  readonly chain: string;
  readonly key: string;
}

/** A certificate for this machine, signed by an authority made on the spot. */
export async function makeCertificates(directory: string): Promise<Certificates> {
  const openssl = (...args: string[]) => command('openssl', args, directory);
  const authority = async (name: string) => {
    const subject = ['-subj', `/CN=${name}`, '-days', '2', '-nodes'];
    await openssl('req', '-x509', '-newkey', 'rsa:2048', '-keyout', `${name}.key`, '-out', `${name}.pem`, ...subject);
  };
  await Promise.all([authority('authority'), authority('stranger')]);
  await openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'broker.key', '-out', 'broker.csr', '-subj', '/CN=localhost');
  await writeFile(join(directory, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const signing = ['-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
  await openssl('x509', '-req', '-in', 'broker.csr', '-out', 'broker.pem', ...signing);
  const read = (name: string) => readFile(join(directory, name), 'utf8');
  return {
    authority: await read('authority.pem'),
    stranger: await read('stranger.pem'),
    chain: (await read('broker.pem')) + (await read('authority.pem')),
    key: await read('broker.key'),
  };
}
