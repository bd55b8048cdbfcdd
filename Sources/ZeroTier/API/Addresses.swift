// The address types of the public interface: who imports ZeroTier has these without another import.

@_exported public import struct NetPrimitives.IPAddress
@_exported public import struct NetPrimitives.IPPrefix
@_exported public import struct NetPrimitives.MACAddress
@_exported public import struct NetPrimitives.SocketEndpoint
