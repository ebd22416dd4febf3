"""Attacks that work, on the parameters on which they work.  Each is a small function, and none uses a secret.

===================  ==========================================  ==================  ================================
module               reads                                       from                stopped by
===================  ==========================================  ==================  ================================
`reading`            plaintexts, trained weights, predictions    ciphertexts         masks uniform modulo q
`public_keys`        T, bit for bit                              evaluation keys,    masks uniform modulo q
                                                                 public key
`distinguish`        which of two messages was encrypted         public key          adding an encryption of zero
`elimination`        the message                                 public keys,        adding an encryption of zero
                                                                 ciphertexts
`lattice`            T                                           public key          dimension d (see `estimate`)
`oracle`             T, or the model                             answers of owner    no parameters: never answer
`silence`            T                                           whether the owner   an owner who closes at any
                                                                 answers             error after a decryption
`shifted_masks`      the words of reviews                        two masks of one    an encryption of zero of its
                                                                 request             own for every score
`hand_over`          T of the sender                             a network before    zeros by the proxy, a sender
                                                                 and after a switch  who judges
`collusion`          T of the sender                             the proxy's key,    no parameters: keep the two
                                                                 the recipient's     apart
`training`           a model as good as the owner's              data and labels     no parameters: withhold labels
`labels`             a model nearly as good                      texts, and guesses  no parameters: labels that
                                                                 of their labels     nobody else can give
===================  ==========================================  ==================  ================================

`silence`, `shifted_masks` and `hand_over` worked on older protocols with secure presets.  Each module keeps a model of the old
protocol, and tests run the attack on that and on today's protocol.  docs/attacks.md lists every attack: by whom, with what
result.

The first published cryptanalysis of this scheme is [BGV18]: a broadcast attack, a key recovery by chosen ciphertexts, and the
decryption of related plaintexts.  `elimination` and `oracle` follow its ideas, for the parameters of this package.

[BGV18] S. Bogos, J. Gaspoz, S. Vaudenay, "Cryptanalysis of a homomorphic encryption scheme", Cryptography and Communications
10, 2018; ePrint 2016/775.
"""
