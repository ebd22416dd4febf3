"""Attacks that work, on the parameters on which they work.  Each is a small function; none of them touches a secret.

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
`training`           a model as good as the owner's              data and labels     no parameters: withhold labels
`labels`             a model nearly as good                      texts, and guesses  no parameters: labels that
                                                                 of their labels     nobody else can give
===================  ==========================================  ==================  ================================

The first published cryptanalysis of this scheme is [BGV18]: a broadcast attack, a key recovery by chosen ciphertexts, and the
decryption of related plaintexts.  `elimination` and `oracle` follow its ideas, for the parameters of this package.

[BGV18] S. Bogos, J. Gaspoz, S. Vaudenay, "Cryptanalysis of a homomorphic encryption scheme", Cryptography and Communications
10, 2018; ePrint 2016/775.
"""
