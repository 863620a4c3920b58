package afunix

const systemTransport = PipeTransport
