// Bytes: the help of the original's `zerotier-cli`, in our words.

import ZeroTier

/// What can be typed.
enum ClientHelp {
    static let text = """
        zerotier-cli of swift-zerotier \(libraryVersionText): asks and commands the ZeroTier service of this machine.

        Usage: zerotier-cli [-switches] <verb> [<argument> ...]

        Switches, with their value glued on:
          -h                      this help
          -v                      the version
          -j                      JSON, as the service gives it
          -D<directory>           the service's state directory
          -p<port>                its TCP port; else that of zerotier-one.port in the directory
          -T<token>               what it asks for; else the contents of authtoken.secret there
          -H<address>             where it listens; else 127.0.0.1

        Verbs:
          info, status            the node
          listpeers               the peers, a line for scripts each
          peers                   the peers in columns
          listnetworks            the networks
          join <network>          join a network
          leave <network>         leave a network
          set <network> <setting>=<1 or 0>
                                  allow what a controller may set: \(ClientVerb.settings.joined(separator: ", "))
          get <network> <member>  one member of a network; or ip, ip4, ip6, ip6plane, ip6prefix
          listmoons               the moons held
          orbit <moon> <root>     use the roots of a moon; one of them can tell the others
          deorbit <moon>          forget a moon
          bond list, listbonds    peers that are reached by several paths at a time
          bond <peer> show        the paths of one
          bond <peer> rotate      use the next path
          bond setmtu <size> <interface> <address>
                                  the longest datagram on a path
          dump                    what the service knows, without secrets, into \(ClientDump.fileName)
          /<path>                 what the service answers at that path
          help                    this help
        """
}
