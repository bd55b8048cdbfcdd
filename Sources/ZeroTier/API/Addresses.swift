// The address types of the public interface: `import ZeroTier` is enough to have them.

@_exported public import struct NetPrimitives.IPAddress
@_exported public import struct NetPrimitives.IPPrefix
@_exported public import struct NetPrimitives.MACAddress
@_exported public import struct NetPrimitives.SocketEndpoint
